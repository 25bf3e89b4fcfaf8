// SPDX-License-Identifier: Apache-2.0
// Replacements for the outside world (src/sys/ports.hpp), header only:
//
//     fakes::FakeMachine machine({{0, {0, 1}, 100}, {2, {4, 5}, 50}});   // node, CPUs, room in pages
//     fakes::FailingPorts ports(machine.ports());                         // or FailingPorts ports; over the real ones
//     ports.fail_nth(fakes::Call::policy_bind, 2, ENOMEM);                // the second bind from now answers -ENOMEM
//     ports.fail_always(fakes::Call::policy_query, EPERM);                // as a seccomp filter does
//     Object object(ports.ports());
//     ...
//     EXPECT_EQ(ports.held(), fakes::Held{});                             // nothing leaked
//
// To fail every step once: run the code with no failure and ask steps(); then for each n from 1 to that number, on
// fresh objects, fail_step(n, ENOMEM) and look at what is held. failures() tells whether a failure was delivered at
// all.
//
//     fakes::FakeFiles files;                                             // over the real files
//     files.set("/sys/fs/cgroup/cpu.max", "200000 100000\n");
#pragma once

#include "fakes/failing_ports.hpp" // IWYU pragma: export
#include "fakes/fake_files.hpp"    // IWYU pragma: export
#include "fakes/fake_machine.hpp"  // IWYU pragma: export
