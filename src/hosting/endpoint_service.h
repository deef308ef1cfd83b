// Endpoints: created, updated, re-weighted, deleted, restored; and their traffic served.
//
// An endpoint's row holds everything it serves with (EndpointSpec); the table of live endpoints is rebuilt from the
// rows at start. Steps of Create: row "Creating" -> models loaded onto the shelf -> row "InService" -> in the table,
// all before the call returns; a model that cannot be had makes the row "Failed" with a reason. Update loads first and
// then swaps row and table entry, so no request meets a gap; if it cannot load, nothing changes and the caller is told.
// One operation at a time on one endpoint: a second one is refused as AWS does.
// After a crash: "Creating" is taken up again, "Updating" has not changed anything yet and serves the old variants.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "hosting/archive_shelf.h"
#include "hosting/capture_writer.h"
#include "hosting/catalog.h"
#include "hosting/endpoint_spec.h"
#include "hosting/invoker.h"
#include "hosting/live_endpoint.h"
#include "meta/resources.h"
#include "monitor/metrics.h"

namespace espalier::hosting {

/// Which properties of the running variants an update keeps (RetainAllVariantProperties and its exclusions).
struct RetainOptions {
    bool weights = false;
    bool instance_counts = false;
    bool capture = false;
};

struct WeightChange {
    std::string variant_name;
    std::optional<double> weight;
    std::optional<int> num_instances;
};

class EndpointService {
  public:
    struct Options {
        meta::Database* database = nullptr;  ///< borrowed, as all of these
        store::ObjectStore* objects = nullptr;
        const Clock* clock = nullptr;
        Fs* fs = nullptr;
        monitor::Metrics* metrics = nullptr;
        std::string folder;  ///< made if missing: <folder>/archives is the shelf
    };
    /// Loads every endpoint that was in service, before it returns. An endpoint whose archive is gone or damaged is
    /// marked Failed; that is no error of Open.
    static Result<std::unique_ptr<EndpointService>> Open(const Options& options);
    ~EndpointService();

    Catalog& catalog() { return catalog_; }

    struct Endpoint {
        meta::ResourceRecord record;
        EndpointSpec spec;
    };
    /// kAlreadyExists, kNotFound (configuration or model) with AWS's texts.
    Result<void> Create(const meta::Scope& scope, const std::string& name, const std::string& config_name,
                        const std::string& deployment_echo, std::span<const meta::Tag> tags);
    /// kNotFound (endpoint, new or old configuration, model), kConflict when another change is under way; the errors of
    /// ArchiveShelf::LoadObject, after which the endpoint serves as before.
    Result<void> Update(const meta::Scope& scope, const std::string& name, const std::string& config_name,
                        const RetainOptions& retain, const std::string& deployment_echo);
    /// kNotFound, kConflict; kInvalidArgument for an unknown or repeated variant.
    Result<void> UpdateWeights(const meta::Scope& scope, const std::string& name,
                               std::span<const WeightChange> changes);
    /// kNotFound, kConflict. What has been captured is written before it returns.
    Result<void> Delete(const meta::Scope& scope, const std::string& name);
    Result<Endpoint> Find(const meta::Scope& scope, const std::string& name) const;
    Result<std::vector<meta::ResourceRecord>> List(const meta::ListQuery& query) const;

    /// The invoke path: nullptr when no endpoint of that name is in service.
    std::shared_ptr<const LiveEndpoint> FindLive(std::string_view account, std::string_view region,
                                                 std::string_view name) const {
        return table_.Find(account, region, name);
    }
    InvokeReply Invoke(const std::shared_ptr<const LiveEndpoint>& endpoint, const InvokeRequest& request) {
        return invoker_.Invoke(endpoint, request);
    }
    const CaptureWriter& capture() const { return capture_; }
    const Invoker& invoker() const { return invoker_; }

    /// Books the traffic up to now as metrics (endpoint_metrics.h), which happens about once a second by itself.
    void BookTraffic();

  private:
    using EndpointId = std::pair<meta::Scope, std::string>;
    class Turn;

    EndpointService(const Options& options, std::unique_ptr<ArchiveShelf> shelf);
    Result<void> Restore();
    Result<void> RestoreOne(meta::ResourceRecord record);
    /// The turn to change that endpoint; kConflict when somebody else has it.
    Result<Turn> TakeTurn(const meta::Scope& scope, const std::string& name);
    /// The variants of a configuration with what their models say, archives not loaded yet.
    Result<EndpointSpec> SpecFrom(const meta::Scope& scope, const std::string& config_name) const;
    /// Loads what `spec` names (from the shelf when it has archive ids, else from S3, filling them in) and builds the
    /// live form of it.
    Result<std::shared_ptr<const LiveEndpoint>> Load(const meta::Scope& scope, const std::string& name,
                                                     EndpointSpec& spec);
    Result<LiveVariant> LoadVariant(const meta::Scope& scope, const std::string& name, const EndpointSpec& spec,
                                    DeployedVariant& variant);
    /// Writes the row with that status and spec, then puts the endpoint into the table, or takes it out.
    Result<void> Publish(meta::ResourceRecord record, std::string status, const EndpointSpec& spec,
                         std::shared_ptr<const LiveEndpoint> live);
    std::shared_ptr<TrafficStats> StatsOf(const EndpointId& id, const VariantSpec& spec);
    std::shared_ptr<TrafficSequence> SequenceOf(const EndpointId& id);
    void SweepShelf();
    void Tick(const std::stop_token& stop);

    const Options options_;
    std::unique_ptr<ArchiveShelf> shelf_;
    Catalog catalog_;
    meta::Resources endpoints_;
    EndpointTable table_;
    CaptureWriter capture_;
    Invoker invoker_;

    mutable std::mutex mutex_;
    std::condition_variable_any ticker_wake_;
    std::set<EndpointId> busy_;  // guarded by mutex_
    struct Shared {
        VariantStats stats;
        std::map<std::string, int> num_instances;  ///< by variant, of the newest version
        std::shared_ptr<TrafficSequence> sequence = std::make_shared<TrafficSequence>();
    };
    std::map<EndpointId, Shared> shared_;  // guarded by mutex_
    std::mutex booking_mutex_;             // held while traffic is booked, so that when it returns all is there
    std::mutex table_mutex_;               // writers of table_ take turns
    std::jthread ticker_;
};

}  // namespace espalier::hosting
