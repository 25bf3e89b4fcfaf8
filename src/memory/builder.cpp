// SPDX-License-Identifier: Apache-2.0
// Making a region: down the ladder of page sizes until one holds.
#include "base/log.hpp"
#include "base/status.hpp"
#include "base/text.hpp"
#include "memory/body.hpp"
#include "sys/constants.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace nearpool {
namespace {

using Body = Region::Body;

// A page size suits a region when rounding up to it adds at most an eighth.
bool suits(std::size_t bytes, std::size_t page) {
    return bytes >= page && (page - bytes % page) % page <= bytes / 8;
}

std::vector<int32_t> rungs_of(const RegionSpec &spec) {
    if (spec.backing == NEAR_BACKING_FILE) {
        return {NEAR_PAGES_DEFAULT};
    }
    std::vector<int32_t> rungs;
    switch (spec.pages) {
    case NEAR_PAGES_1G:
        rungs = {NEAR_PAGES_1G, NEAR_PAGES_2M, NEAR_PAGES_TRANSPARENT};
        break;
    case NEAR_PAGES_2M:
        rungs = {NEAR_PAGES_2M, NEAR_PAGES_TRANSPARENT};
        break;
    case NEAR_PAGES_HUGE:
        if (suits(spec.bytes, giant_page_bytes)) {
            rungs.push_back(NEAR_PAGES_1G);
        }
        if (suits(spec.bytes, large_page_bytes)) {
            rungs.push_back(NEAR_PAGES_2M);
        }
        rungs.push_back(NEAR_PAGES_TRANSPARENT);
        break;
    default:
        rungs = {spec.pages};
        break;
    }
    if (spec.strict && spec.pages != NEAR_PAGES_HUGE) {
        rungs.resize(1); // of the size asked for, or not at all
    }
    return rungs;
}

PagesNote note_of(const Error &error) {
    switch (error.code) {
    case ENOMEM:
    case EFAULT: // what would have been SIGBUS
        return {NEAR_REASON_NO_HUGE_PAGES, error.message};
    case EPERM:
    case EACCES:
        return {NEAR_REASON_FORBIDDEN, error.message};
    case EINVAL:
    case ENODEV:
    case ENOENT:
    case ENOSYS:
    case EOPNOTSUPP:
        return {NEAR_REASON_KERNEL, error.message};
    default:
        return {NEAR_REASON_SYSTEM, error.message};
    }
}

Error strict_failure(int32_t reason, const std::string &text) {
    Error error = fail(NEAR_E_STRICT, "%s", text.c_str());
    error.reason = reason;
    return error;
}

class Builder {
public:
    Builder(const Ports &ports, Ref<const Topology> topology, Crew &crew, const RegionSpec &spec, Progress *progress)
        : ports_(ports), topology_(std::move(topology)), crew_(crew), spec_(spec), progress_(progress) {}

    Result<std::unique_ptr<Body>> build() {
        PagesNote first;
        for (const int32_t rung : rungs_of(spec_)) {
            missed_ = PagesNote();
            Result<std::unique_ptr<Body>> made = try_rung(rung);
            if (!made && missed_.reason == NEAR_REASON_NONE) {
                return made.error();
            }
            if (made) {
                if (made.value()->note.reason == NEAR_REASON_NONE) {
                    made.value()->note = first;
                }
                made.value()->progress = nullptr;
                return made;
            }
            if (first.reason == NEAR_REASON_NONE) {
                first = missed_;
            }
        }
        return strict_failure(first.reason,
                              format("pages of %s are not to be had: %s", pages_name(spec_.pages), first.text.c_str()));
    }

private:
    bool pool(int32_t rung) const { return rung == NEAR_PAGES_2M || rung == NEAR_PAGES_1G; }

    // The rung does not hold: the next one is tried.
    Error miss(const PagesNote &note) {
        missed_ = note;
        return fail(NEAR_E_STRICT, "%s", note.text.c_str());
    }

    Result<std::unique_ptr<Body>> try_rung(int32_t rung) {
        Result<Mapping> mapping = Mapping::make(ports_, spec_, rung);
        if (!mapping) {
            return pool(rung) ? miss(note_of(mapping.error())) : mapping.error();
        }
        auto body = std::make_unique<Body>(ports_, topology_, crew_, spec_, mapping.take());
        body->rung = rung;
        body->progress = progress_;
        if (progress_ != nullptr) {
            progress_->begin_again();
        }
        body->arrangement =
            std::make_unique<Arrangement>(arrange(ports_, *topology_, body->mapping, spec_.policy, spec_.nodes));
        body->arrangement->strict = spec_.strict;
        for (const auto step : {&Builder::check_file, &Builder::keep_private, &Builder::bind, &Builder::advise,
                                &Builder::open_up, &Builder::fill}) {
            if (Done done = (this->*step)(body.get()); !done) {
                return done.error();
            }
        }
        return body;
    }

    // The file decides on the page size.
    Done check_file(Body *body) {
        if (spec_.backing != NEAR_BACKING_FILE || spec_.pages == NEAR_PAGES_DEFAULT) {
            return {};
        }
        const std::size_t asked = spec_.pages == NEAR_PAGES_1G     ? giant_page_bytes
                                  : spec_.pages == NEAR_PAGES_2M   ? large_page_bytes
                                  : spec_.pages == NEAR_PAGES_BASE ? base_page_bytes()
                                                                   : body->mapping.page_bytes();
        if (body->mapping.page_bytes() == asked) {
            return {};
        }
        body->note = {NEAR_REASON_FILE,
                      format("%s has pages of %zu bytes", spec_.path.c_str(), body->mapping.page_bytes())};
        return spec_.strict ? Done(fail(NEAR_E_STRICT, "%s, and %s was asked for", body->note.text.c_str(),
                                        pages_name(spec_.pages)))
                            : Done();
    }

    Done keep_private(Body *body) {
        Done done = (spec_.flags & NEAR_REGION_NO_FORK) != 0 ? body->mapping.keep_from_children() : Done();
        return done && (spec_.flags & NEAR_REGION_NO_DUMP) != 0 ? body->mapping.keep_from_dumps() : done;
    }

    // Only now: after mlockall(MCL_FUTURE) this faults all pages in.
    Done open_up(Body *body) {
        Done done = body->mapping.open_up();
        return done || !pool(body->rung) ? done : Done(miss(note_of(done.error())));
    }

    // Pages from the pool are counted first and bound firmly: populating them fails with an error where there are none,
    // and kills nobody.
    Done bind(Body *body) {
        if (!body->binds()) {
            return {};
        }
        if (pool(body->rung)) {
            if (Done enough = check_pool(*body); !enough) {
                return enough;
            }
        }
        bind_gently(ports_, body->mapping, body->arrangement.get());
        if (spec_.strict && body->arrangement->policy_unknown) {
            return fail(NEAR_E_UNSUPPORTED, "this kernel does not know the policy %s", policy_name(spec_.policy));
        }
        if (pool(body->rung) && body->arrangement->bind_error == 0 && has_firm_form(body->arrangement->target, true)) {
            bind_firmly(ports_, body->mapping, body->arrangement.get());
        }
        return {};
    }

    std::size_t free_pool_pages(uint32_t node, std::size_t page_bytes) {
        std::string text;
        const std::string path =
            format("/sys/devices/system/node/node%u/hugepages/hugepages-%zukB/free_hugepages", node, page_bytes / 1024);
        return ports_.files.read(path, &text) < 0 ? 0 : std::strtoul(text.c_str(), nullptr, 10);
    }

    Done check_pool(const Body &body) {
        const Target &target = body.arrangement->target;
        const std::size_t page = body.mapping.page_bytes();
        std::size_t sum = 0;
        std::map<uint32_t, std::size_t> free;
        for (const uint32_t node : target.usable) {
            if (free.count(node) == 0) {
                free[node] = free_pool_pages(node, page);
                sum += free[node];
            }
        }
        for (const auto &[node, needed] : pages_needed(target, body.mapping)) {
            if (free[node] < needed) {
                return miss(
                    {NEAR_REASON_NO_HUGE_PAGES, format("node %u has %zu free pages of %zu kB, and %zu are needed", node,
                                                       free[node], page / 1024, needed)});
            }
        }
        std::string file;
        const std::optional<uint64_t> allowed = huge_page_room(ports_.files, page, &file);
        if (allowed && *allowed < body.mapping.page_count()) {
            return miss(
                {NEAR_REASON_LIMIT,
                 format("the control group (%s) allows %llu more pages of %zu kB, and %zu are needed", file.c_str(),
                        static_cast<unsigned long long>(*allowed), page / 1024, body.mapping.page_count())});
        }
        if (sum < body.mapping.page_count() && !target.usable.empty()) {
            return miss({NEAR_REASON_NO_HUGE_PAGES, format("there are %zu free pages of %zu kB, and %zu are needed",
                                                           sum, page / 1024, body.mapping.page_count())});
        }
        return {};
    }

    Done advise(Body *body) {
        if (body->rung != NEAR_PAGES_TRANSPARENT && body->rung != NEAR_PAGES_BASE) {
            return {};
        }
        const bool huge = body->rung == NEAR_PAGES_TRANSPARENT;
        const int error = ports_.memory.advise(body->mapping.data(), body->mapping.bytes(),
                                               huge ? sys::advice_huge_page : sys::advice_no_huge_page);
        if (error == 0 || (error == -EINVAL && !huge)) { // a kernel without huge pages gives base pages anyway
            return {};
        }
        const Error why = fail_system(-error, "MADV_%s was refused", huge ? "HUGEPAGE" : "NOHUGEPAGE");
        body->note = note_of(why);
        return spec_.strict && !huge ? Done(fail_system_as(NEAR_E_STRICT, -error, "MADV_NOHUGEPAGE was refused"))
                                     : Done();
    }

    // Pages from the pool are always faulted in: they are reserved anyway, and later it might kill.
    Done fill(Body *body) {
        const bool from_pool = pool(body->rung);
        int32_t how = spec_.prefault;
        if (how == NEAR_PREFAULT_NONE && (spec_.strict || from_pool)) {
            how = NEAR_PREFAULT_ON_NODE;
        }
        if (how == NEAR_PREFAULT_NONE) {
            return {};
        }
        if (Done done = body->fault(how); !done) {
            return from_pool ? Done(miss(note_of(done.error()))) : done;
        }
        body->first = body->settle(body->may_sample());
        body->first_firm = body->arrangement->firm;
        const Enforcement enforcement = body->judge(*body->first);
        if (!spec_.strict || enforcement.level == NEAR_LEVEL_STRICT) {
            return {};
        }
        const std::string text =
            format("%zu bytes, policy %s: %s", spec_.bytes, policy_name(spec_.policy), enforcement.text.c_str());
        if (from_pool) {
            return miss({NEAR_REASON_ELSEWHERE, text});
        }
        return strict_failure(enforcement.reason, text);
    }

    const Ports &ports_;
    const Ref<const Topology> topology_;
    Crew &crew_;
    const RegionSpec &spec_;
    Progress *const progress_;
    PagesNote missed_;
};

} // namespace

Result<std::unique_ptr<Region>> Region::create(const Ports &ports, Ref<const Topology> topology, Crew &crew,
                                               const RegionSpec &spec, Progress *progress) {
    if (spec.strict && !topology->this_machine()) {
        return fail(NEAR_E_STRICT, "the topology describes another machine, so nothing can be placed on its nodes");
    }
    Builder builder(ports, std::move(topology), crew, spec, progress);
    Result<std::unique_ptr<Body>> body = builder.build();
    if (!body) {
        return body.error();
    }
    std::unique_ptr<Region> region(new Region(body.take()));
    if (log_enabled(NEAR_LOG_DEBUG)) {
        const near_placement where = region->placement();
        log(NEAR_LOG_DEBUG, "region of %zu bytes at %p: policy %s, pages %s, %zu of %zu near, %s%s%s", spec.bytes,
            region->data(), policy_name(spec.policy), pages_name(where.pages), where.near_pages, where.page_count,
            level_name(where.level), where.reason[0] != '\0' ? ": " : "", where.reason);
    }
    return region;
}

} // namespace nearpool
