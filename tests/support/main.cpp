// SPDX-License-Identifier: Apache-2.0
// The main of the test programs. A skip is not a pass: a test that skips for want of a capability starts its reason
// with the name in brackets, GTEST_SKIP() << "[numa] needs two nodes", and fails where NEARPOOL_TEST_REQUIRE, a list
// separated by commas, names that capability.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>
#include <string>

namespace {

constexpr int exit_skipped = 77;

std::set<std::string> required_capabilities() {
    std::set<std::string> names;
    const char *list = std::getenv("NEARPOOL_TEST_REQUIRE");
    std::istringstream in(list == nullptr ? "" : list);
    for (std::string name; std::getline(in, name, ',');) {
        name.erase(std::remove(name.begin(), name.end(), ' '), name.end());
        if (!name.empty()) {
            names.insert(name);
        }
    }
    return names;
}

/// The capability that a skip's reason starts with; empty when it starts with none.
std::string capability_of(const std::string &reason) {
    const std::size_t begin = reason.find_first_not_of(" \n");
    if (begin == std::string::npos || reason[begin] != '[') {
        return {};
    }
    const std::size_t end = reason.find(']', begin);
    return end == std::string::npos ? std::string{} : reason.substr(begin + 1, end - begin - 1);
}

class RequiredCapabilities : public testing::EmptyTestEventListener {
public:
    void OnTestEnd(const testing::TestInfo &test) override { refuse_skips(*test.result()); }
    void OnTestSuiteEnd(const testing::TestSuite &suite) override { refuse_skips(suite.ad_hoc_test_result()); }

private:
    void refuse_skips(const testing::TestResult &result) const {
        const int part_count = result.total_part_count();
        for (int i = 0; i < part_count; ++i) {
            const testing::TestPartResult &part = result.GetTestPartResult(i);
            if (part.skipped() && required_.count(capability_of(part.message())) != 0) {
                ADD_FAILURE() << "NEARPOOL_TEST_REQUIRE forbids this skip: " << std::string(part.message());
            }
        }
    }

    const std::set<std::string> required_ = required_capabilities();
};

/// One line each, for a reader who gathers what several machines skip.
void print_skipped(const testing::UnitTest &tests) {
    for (int i = 0; i < tests.total_test_suite_count(); i++) {
        const testing::TestSuite &suite = *tests.GetTestSuite(i);
        for (int j = 0; j < suite.total_test_count(); j++) {
            const testing::TestResult &result = *suite.GetTestInfo(j)->result();
            if (result.Skipped()) {
                const std::string reason = result.GetTestPartResult(result.total_part_count() - 1).message();
                std::printf("skipped %s.%s [%s]\n", suite.name(), suite.GetTestInfo(j)->name(),
                            capability_of(reason).c_str());
            }
        }
    }
}

int exit_code(int run_result, int passed, int failed, int skipped) {
    if (run_result != 0 || failed != 0) {
        return 1;
    }
    if (passed == 0 && skipped == 0) {
        std::fprintf(stderr, "no test ran\n");
        return 1;
    }
    return passed == 0 ? exit_skipped : 0;
}

} // namespace

int main(int argc, char **argv) {
    testing::InitGoogleTest(&argc, argv);
    testing::UnitTest &tests = *testing::UnitTest::GetInstance();
    tests.listeners().Append(new RequiredCapabilities);
    const int result = RUN_ALL_TESTS();
    if (testing::GTEST_FLAG(list_tests)) {
        return result;
    }
    const int passed = tests.successful_test_count();
    const int skipped = tests.skipped_test_count();
    const int failed = std::max(tests.failed_test_count(), result == 0 ? 0 : 1);
    print_skipped(tests);
    std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return exit_code(result, passed, failed, skipped);
}
