// An endpoint in service, as the invoke path sees it: immutable, replaced as a whole when anything about it changes.
//
// Requests hold the LiveEndpoint they started with until they are answered, so an update never takes a model away under
// a request. Counters and the traffic sequence are shared between successive versions of one endpoint.
// Thread-safe: immutable but for the atomics behind its pointers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hosting/capture_writer.h"
#include "hosting/endpoint_spec.h"
#include "hosting/inference.h"
#include "hosting/model_cache.h"
#include "hosting/shadow_stats.h"
#include "hosting/snapshot_cell.h"
#include "hosting/traffic_stats.h"
#include "hosting/variant_line.h"
#include "hosting/variant_picker.h"
#include "meta/scope.h"

namespace espalier::hosting {

struct LiveVariant {
    std::string name;
    ServedModel served;
    std::shared_ptr<TrafficStats> stats;
    std::shared_ptr<VariantLine> line = nullptr;  ///< nullptr for shadows: they run beside the traffic
    std::shared_ptr<ModelSet> models = nullptr;   ///< of a multi-model variant, whose `served` has no model of its own
    std::string capture_prefix;                   ///< "<key prefix>/<endpoint>/<variant>", when the endpoint captures
};

struct LiveShadow {
    std::shared_ptr<const LiveVariant> variant;
    TrafficShare share;  ///< of all requests to the production variants
    std::shared_ptr<ShadowStats> differences;
};

struct LiveEndpoint {
    meta::Scope scope;
    std::string name;
    std::vector<LiveVariant> production;
    std::vector<LiveShadow> shadows;
    VariantPicker picker;
    std::shared_ptr<TrafficSequence> sequence;
    std::shared_ptr<const CapturePlan> capture;  ///< nullptr: nothing is captured
    std::shared_ptr<const AsyncSpec> async;      ///< nullptr: it is invoked synchronously
    std::shared_ptr<const LiveEndpoint> next;    ///< the new fleet while an update is rolled out, else nullptr
    TrafficShare next_share;                     ///< of the requests that go to it
};

/// Counters by variant name, kept while the endpoint lives.
using VariantStats = std::map<std::string, std::shared_ptr<TrafficStats>, std::less<>>;

/// All endpoints in service, read by every invocation. Find takes no lock that a writer holds (snapshot_cell.h).
/// Thread-safe; writers take turns by a lock of their own.
class EndpointTable {
  public:
    EndpointTable();
    /// nullptr when no endpoint of that name is in service. No allocation.
    std::shared_ptr<const LiveEndpoint> Find(std::string_view account, std::string_view region,
                                             std::string_view name) const;
    /// Adds or replaces.
    void Put(std::shared_ptr<const LiveEndpoint> endpoint);
    void Remove(const meta::Scope& scope, std::string_view name);

  private:
    struct Key {
        std::string_view account;
        std::string_view region;
        std::string_view name;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const;
    };
    /// The views of a key point into the endpoint it leads to.
    using Map = std::unordered_map<Key, std::shared_ptr<const LiveEndpoint>, KeyHash>;
    static Key KeyOf(const LiveEndpoint& endpoint);

    SnapshotCell<Map> map_;
};

}  // namespace espalier::hosting
