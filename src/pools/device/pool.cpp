// SPDX-License-Identifier: Apache-2.0
#include "pools/device/pool.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace nearpool::device {

// Builds a pool device by device, sorting out those that cannot be used.
class Builder {
public:
    Builder(cuda::Loader &loader, Ref<const Topology> topology, const Options &options)
        : loader_(loader), options_(options),
          pool_(Ref<Pool>::adopt(new Pool(std::move(topology), options.process_wide))) {}

    Result<Ref<Pool>> build() {
        Result<const cuda::Driver *> driver = loader_.driver();
        if (!driver) {
            return driver.error();
        }
        driver_ = driver.value();
        Result<std::vector<int32_t>> wanted = wanted_devices();
        if (!wanted) {
            return wanted.error();
        }
        for (const int32_t ordinal : wanted.value()) {
            if (Done ok = add(ordinal); !ok) {
                if (options_.strict) {
                    ok.error().message = format("device %d: %s", ordinal, ok.error().message.c_str());
                    return ok.error();
                }
                pool_->skipped_.push_back(Skipped{ordinal, ok.error()});
            }
        }
        if (pool_->devices_.empty()) {
            return fail(NEAR_E_NO_DEVICE, "no device can be used; device %d: %s", pool_->skipped_[0].ordinal,
                        pool_->skipped_[0].why.message.c_str());
        }
        pool_->rotation_ = std::make_unique<Rotation>(static_cast<uint32_t>(pool_->devices_.size()));
        return pool_;
    }

private:
    Result<std::vector<int32_t>> wanted_devices() const {
        int count = 0;
        if (const cuda::CUresult code = driver_->device_get_count(&count); code != cuda::cuda_success) {
            return driver_->error(code, "cuDeviceGetCount");
        }
        if (count == 0) {
            return fail(NEAR_E_NO_DEVICE, "the driver has no device");
        }
        std::vector<int32_t> wanted = options_.ordinals;
        for (const int32_t ordinal : wanted) {
            if (ordinal < 0 || ordinal >= count) {
                return fail(NEAR_E_DEVICE, "there is no device %d; the driver has %d, from 0", ordinal, count);
            }
        }
        if (wanted.empty()) {
            for (int32_t ordinal = 0; ordinal < count; ordinal++) {
                wanted.push_back(ordinal);
            }
        }
        return wanted;
    }

    Done add(int32_t ordinal) {
        Result<cuda::Facts> facts = cuda::read_facts(*driver_, ordinal);
        if (!facts) {
            return facts.error();
        }
        const Topology &topology = pool_->topology();
        const DeviceNode node = device_node(topology, facts.value(), nvml_nodes(loader_, topology));
        auto device = std::make_unique<Device>(loader_, *driver_, facts.take(), node, options_.own_contexts);
        if (options_.strict) {
            if (const Result<cuda::CUcontext> context = device->context(); !context) {
                return context.error();
            }
        }
        pool_->devices_.push_back(std::move(device));
        pool_->ordinals_.push_back(ordinal);
        return {};
    }

    cuda::Loader &loader_;
    const Options &options_;
    Ref<Pool> pool_;
    const cuda::Driver *driver_ = nullptr;
};

Result<Ref<Pool>> Pool::create(cuda::Loader &loader, Ref<const Topology> topology, const Options &options) {
    return Builder(loader, std::move(topology), options).build();
}

Device *Pool::find(int32_t ordinal) const {
    for (const std::unique_ptr<Device> &device : devices_) {
        if (device->facts().ordinal == ordinal) {
            return device.get();
        }
    }
    return nullptr;
}

Error Pool::no_device(int32_t ordinal) const {
    std::string there;
    for (const std::unique_ptr<Device> &device : devices_) {
        there += format("%s%d", there.empty() ? "" : ",", device->facts().ordinal);
    }
    return fail(NEAR_E_DEVICE, "device %d is not in this pool (devices %s)", ordinal, there.c_str());
}

Result<std::vector<uint32_t>> Pool::peers() const {
    struct Question {
        cuda::CUdevice_P2PAttribute attribute;
        uint32_t bit;
    };
    std::vector<uint32_t> matrix;
    for (const std::unique_ptr<Device> &from : devices_) {
        for (const std::unique_ptr<Device> &to : devices_) {
            uint32_t &bits = matrix.emplace_back(0);
            for (const Question question : {Question{cuda::peer_access_supported, DEVICE_POOL_PEER_ACCESS},
                                            Question{cuda::peer_native_atomic_supported, DEVICE_POOL_PEER_ATOMICS},
                                            Question{cuda::peer_array_access_supported, DEVICE_POOL_PEER_ARRAYS}}) {
                if (from == to) {
                    break;
                }
                int value = 0;
                const cuda::CUresult code = from->driver().device_get_p2p_attribute(
                    &value, question.attribute, from->facts().handle, to->facts().handle);
                if (code != cuda::cuda_success) {
                    return from->driver().error(code, "cuDeviceGetP2PAttribute");
                }
                bits |= value != 0 ? question.bit : 0;
            }
        }
    }
    return matrix;
}

std::string Pool::text() const {
    std::string text = format("%zu device%s\n", devices_.size(), devices_.size() == 1 ? "" : "s");
    for (const std::unique_ptr<Device> &device : devices_) {
        const cuda::Facts &facts = device->facts();
        const DeviceNode &node = device->node();
        text += format("device %d: %s, %s, %s, compute %d.%d, %llu MiB, ", facts.ordinal, facts.name.c_str(),
                       facts.uuid_text().c_str(), facts.pci_address.c_str(), facts.capability_major,
                       facts.capability_minor, static_cast<unsigned long long>(facts.total_bytes >> 20));
        if (node.source == NEAR_NODE_SOURCE_NONE) {
            text += "node unknown";
        } else {
            text += format("node %u by %s", node.node, node_source_name(node.source));
            text +=
                node.attached != node.node ? format(" (attached to node %u, which has no CPUs)", node.attached) : "";
        }
        text += node.memory == NEAR_NODE_UNKNOWN ? "\n" : format(", its memory is node %u\n", node.memory);
    }
    for (const Skipped &skipped : skipped_) {
        text += format("device %d: not used: %s\n", skipped.ordinal, skipped.why.message.c_str());
    }
    return text;
}

} // namespace nearpool::device
