// SPDX-License-Identifier: Apache-2.0
const char *quiet() {
    return environment("NEARPOOL_QUIET");
}
