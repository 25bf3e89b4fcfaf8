// SPDX-License-Identifier: Apache-2.0
// XML from outside: refused with a sentence, or a machine of which everything can be asked.
#include "fuzz/harness.hpp"
#include "fuzz/machine.hpp"

namespace nearpool::fuzz {

void xml(const uint8_t *data, std::size_t size) {
    Bytes input(data, size);
    fakes::FakeFiles files;
    files.hide("/");
    files.set("/machine.xml", std::string(input.rest()));
    const auto topology = Topology::from_xml(ports_with(files), "/machine.xml");
    if (topology) {
        examine(*topology.value(), files);
    } else {
        require(topology.error().message.find("/machine.xml") != std::string::npos, "an error names the file");
    }
}

} // namespace nearpool::fuzz
