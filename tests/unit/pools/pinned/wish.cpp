// SPDX-License-Identifier: Apache-2.0
// What a caller asks for: which options are taken, what they become, and the time that is usual.
#include "pools/pinned/wish.hpp"

#include "base/clock.hpp"
#include "sys/ports.hpp"

#include <gtest/gtest.h>

using namespace nearpool;
using namespace nearpool::pinned;

namespace {

constexpr std::size_t gib = std::size_t{1} << 30U;

near_pinned_options defaults() {
    near_pinned_options options{};
    options.struct_size = sizeof options;
    return options;
}

void expect_refused(const near_pinned_options &options, Status status, const char *sentence, std::size_t bytes = 1) {
    const Result<Wish> wish = wish_of(bytes, &options);
    ASSERT_FALSE(wish) << sentence;
    EXPECT_EQ(wish.error().status, status) << wish.error().message;
    EXPECT_NE(wish.error().message.find(sentence), std::string::npos) << wish.error().message;
}

TEST(PinnedTimeout, CountsWholeGibibytes) {
    EXPECT_EQ(usual_timeout_ns(1), 10 * NEAR_SECOND);
    EXPECT_EQ(usual_timeout_ns(gib - 1), 10 * NEAR_SECOND);
    EXPECT_EQ(usual_timeout_ns(gib), 11 * NEAR_SECOND);
    EXPECT_EQ(usual_timeout_ns(2 * gib - 1), 11 * NEAR_SECOND);
    EXPECT_EQ(usual_timeout_ns(289 * gib), 299 * NEAR_SECOND);
    EXPECT_EQ(usual_timeout_ns(290 * gib - 1), 299 * NEAR_SECOND);
    EXPECT_EQ(usual_timeout_ns(290 * gib), 300 * NEAR_SECOND);
    EXPECT_EQ(usual_timeout_ns(291 * gib), 300 * NEAR_SECOND);
    EXPECT_EQ(usual_timeout_ns(SIZE_MAX), 300 * NEAR_SECOND);
}

TEST(PinnedTimeout, IsTheCallersWhereHeNamesOne) {
    near_pinned_options options = defaults();
    EXPECT_EQ(wish_of(gib, &options).value().timeout_ns, 11 * NEAR_SECOND);
    options.timeout_ns = 1;
    EXPECT_EQ(wish_of(gib, &options).value().timeout_ns, 1U);
    options.timeout_ns = NEAR_FOREVER;
    EXPECT_EQ(wish_of(gib, &options).value().timeout_ns, NEAR_FOREVER);
}

TEST(PinnedWish, OfNoOptionsIsTheDefault) {
    const Wish wish = wish_of(5, nullptr).take();
    EXPECT_EQ(wish.bytes, 5U);
    EXPECT_EQ(wish.alignment, 64U);
    EXPECT_FALSE(wish.strict);
    EXPECT_EQ(wish.pages, NEAR_PAGES_HUGE);
    EXPECT_EQ(wish.chunk_bytes, 0U);
    for (const int32_t method :
         {NEAR_PINNED_PLACED, NEAR_PINNED_DRIVER_NODE, NEAR_PINNED_TOUCHED, NEAR_PINNED_DRIVER}) {
        EXPECT_TRUE(wish.asks_for(method)) << method;
    }
    for (const uint32_t flag : {NEAR_PINNED_FORK, NEAR_PINNED_SHARED, NEAR_PINNED_NO_CACHE, NEAR_PINNED_NO_DUMP}) {
        EXPECT_FALSE(wish.has(flag)) << flag;
    }
}

TEST(PinnedWish, KeepsWhatIsAskedFor) {
    near_pinned_options options = defaults();
    options.strict = 1;
    options.pages = NEAR_PAGES_BASE;
    options.flags = NEAR_PINNED_FORK | NEAR_PINNED_NO_CACHE;
    options.methods = 1U << NEAR_PINNED_TOUCHED;
    options.alignment = gib;
    options.chunk_bytes = 77;
    const Wish wish = wish_of(1, &options).take();
    EXPECT_TRUE(wish.strict);
    EXPECT_EQ(wish.pages, NEAR_PAGES_BASE);
    EXPECT_TRUE(wish.has(NEAR_PINNED_FORK));
    EXPECT_TRUE(wish.has(NEAR_PINNED_NO_CACHE));
    EXPECT_FALSE(wish.has(NEAR_PINNED_SHARED));
    EXPECT_TRUE(wish.asks_for(NEAR_PINNED_TOUCHED));
    EXPECT_FALSE(wish.asks_for(NEAR_PINNED_PLACED));
    EXPECT_FALSE(wish.asks_for(NEAR_PINNED_DRIVER));
    EXPECT_EQ(wish.alignment, gib);
    EXPECT_EQ(wish.chunk_bytes, 77U);
    options.alignment = 1;
    EXPECT_EQ(wish_of(1, &options).value().alignment, 64U) << "never less";
}

TEST(PinnedWish, IsRefusedWithASentence) {
    expect_refused(defaults(), NEAR_E_INVALID, "0 bytes were asked for", 0);
    expect_refused(defaults(), NEAR_E_INVALID, "overflow when rounded up to pages", SIZE_MAX);
    near_pinned_options options = defaults();
    options.strict = 2;
    expect_refused(options, NEAR_E_INVALID, "0 bytes were asked for", 0); // before anything else
    expect_refused(options, NEAR_E_INVALID, "strict is 2");
    options = defaults();
    options.pages = NEAR_PAGES_HUGE + 1;
    expect_refused(options, NEAR_E_INVALID, "it must be a NEAR_PAGES_* value");
    options.pages = -1;
    expect_refused(options, NEAR_E_INVALID, "pages is -1");
    options = defaults();
    options.flags = 16;
    expect_refused(options, NEAR_E_INVALID, "flags is 0x10");
    for (const uint32_t methods : {1U, 1U << NEAR_PINNED_ADOPTED, 3U}) {
        options = defaults();
        options.methods = methods;
        expect_refused(options, NEAR_E_INVALID, "methods is ");
    }
    for (const std::size_t alignment : {std::size_t{3}, std::size_t{96}, 2 * gib, SIZE_MAX}) {
        options = defaults();
        options.alignment = alignment;
        expect_refused(options, NEAR_E_INVALID, "it must be 0 or a power of two up to 1 GiB");
    }
    options = defaults();
    options.reserved = 1;
    expect_refused(options, NEAR_E_VERSION, "reserved is 1");
}

TEST(PinnedWish, SharedMemoryIsAlignedToPagesAndNoMore) {
    near_pinned_options options = defaults();
    options.flags = NEAR_PINNED_SHARED;
    options.alignment = base_page_bytes();
    EXPECT_TRUE(wish_of(1, &options));
    options.alignment = 2 * base_page_bytes();
    expect_refused(options, NEAR_E_INVALID, "shared memory is aligned to pages");
}

// What is made has bytes + alignment.
TEST(PinnedWish, LeavesRoomForTheAlignment) {
    near_pinned_options options = defaults();
    const std::size_t end = SIZE_MAX - SIZE_MAX % gib; // SIZE_MAX + 1 - 1 GiB
    EXPECT_TRUE(wish_of(end - gib, &options));
    options.alignment = gib;
    EXPECT_TRUE(wish_of(end - gib, &options));
    expect_refused(options, NEAR_E_INVALID, "overflow", end - gib + 1);
    expect_refused(options, NEAR_E_INVALID, "overflow", end);
}

TEST(PinnedAdoption, TakesStrictAndChunksAlone) {
    char byte = 0;
    EXPECT_TRUE(adoption_of(&byte, 1, nullptr));
    near_pinned_options options = defaults();
    options.strict = 1;
    options.chunk_bytes = 4096;
    EXPECT_TRUE(adoption_of(&byte, 1, &options));
    const auto set = {
        +[](near_pinned_options *o) { o->pages = NEAR_PAGES_BASE; },
        +[](near_pinned_options *o) { o->flags = NEAR_PINNED_FORK; },
        +[](near_pinned_options *o) { o->methods = 1U << NEAR_PINNED_PLACED; },
        +[](near_pinned_options *o) { o->alignment = 64; },
        +[](near_pinned_options *o) { o->timeout_ns = 1; },
    };
    for (const auto change : set) {
        near_pinned_options other = options;
        change(&other);
        const Result<Wish> done = adoption_of(&byte, 1, &other);
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().status, NEAR_E_INVALID);
    }
}

TEST(PinnedAdoption, EndsWithTheAddressSpace) {
    const Result<Wish> done = adoption_of(reinterpret_cast<const void *>(UINTPTR_MAX - 4095), 8192, nullptr);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().status, NEAR_E_INVALID);
    EXPECT_NE(done.error().message.find("past the end of the address space"), std::string::npos);
}

TEST(PinnedMethod, HasAName) {
    EXPECT_STREQ(method_name(NEAR_PINNED_PLACED), "placed");
    EXPECT_STREQ(method_name(NEAR_PINNED_DRIVER_NODE), "driver on node");
    EXPECT_STREQ(method_name(NEAR_PINNED_TOUCHED), "touched");
    EXPECT_STREQ(method_name(NEAR_PINNED_DRIVER), "driver");
    EXPECT_STREQ(method_name(NEAR_PINNED_ADOPTED), "adopted");
    for (const int32_t method : {0, -1, 6, INT32_MAX, INT32_MIN}) {
        EXPECT_STREQ(method_name(method), "unknown") << method;
    }
}

} // namespace
