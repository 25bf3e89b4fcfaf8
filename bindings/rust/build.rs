// SPDX-License-Identifier: Apache-2.0
//! Finds nearpool as every caller does: through its pkg-config file.

fn main() {
    let found = pkg_config::Config::new().atleast_version("0.1.0").probe("nearpool");
    if let Err(problem) = found {
        eprintln!("nearpool is not installed where pkg-config looks (PKG_CONFIG_PATH): {problem}");
        std::process::exit(1);
    }
}
