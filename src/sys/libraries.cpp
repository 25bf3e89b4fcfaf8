// SPDX-License-Identifier: Apache-2.0
#include "sys/real.hpp"

#include <dlfcn.h>

namespace nearpool {
namespace {

class RealLibraries final : public LibraryPort {
public:
    // Symbols stay local to the library: its host may have loaded another one that has the same.
    void *open(const std::string &name, std::string *why) override {
        if (void *loaded = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD); loaded != nullptr) {
            return loaded;
        }
        void *library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) {
            const char *text = ::dlerror();
            *why = text != nullptr ? text : name + ": the dynamic linker gives no reason";
        }
        return library;
    }

    void *symbol(void *library, const char *name) override { return ::dlsym(library, name); }
};

} // namespace

LibraryPort &real_libraries() {
    static auto *const port = new RealLibraries;
    return *port;
}

} // namespace nearpool
