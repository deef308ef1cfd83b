// Endpoints: created, updated, re-weighted, deleted, restored; and their traffic served.
//
// An endpoint's row holds everything it serves with (EndpointSpec); the table of live endpoints is rebuilt from the
// rows at start. Steps of Create: row "Creating" -> models loaded onto the shelf -> row "InService" -> in the table,
// all before the call returns; a model that cannot be had makes the row "Failed" with a reason. Update loads first and
// then swaps row and table entry, so no request meets a gap; if it cannot load, nothing changes and the caller is told.
// One operation at a time on one endpoint: a second one is refused as AWS does.
// After a crash: "Creating" is taken up again; "Updating" goes on with the step its row names, or, when the row names
// none, has not changed anything yet and serves the old variants; "RollingBack" goes on going back.
// Thread-safe.
#pragma once

#include <fmt/format.h>

#include <chrono>
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
#include "base/span.h"
#include "hosting/archive_shelf.h"
#include "hosting/async_queue.h"
#include "hosting/capture_writer.h"
#include "hosting/catalog.h"
#include "hosting/endpoint_log.h"
#include "hosting/endpoint_spec.h"
#include "hosting/invoker.h"
#include "hosting/live_endpoint.h"
#include "hosting/model_registry.h"
#include "hosting/rollout_plan.h"
#include "meta/resources.h"
#include "monitor/alarm_service.h"
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
    std::optional<int> max_concurrency = std::nullopt;  ///< this and the next of serverless variants only
    std::optional<int> provisioned_concurrency = std::nullopt;
};

/// How much of this machine an instance of a variant is.
struct Concurrency {
    int num_threads = 2;             ///< that answer requests which had to wait, all endpoints together
    int running_per_instance = 2;    ///< requests of a variant that are answered at once, for each of its instances
    int waiting_per_instance = 100;  ///< more that wait; beyond that they are refused with 429

    /// As many threads, and as many requests of an instance at once, as this machine has cores.
    static Concurrency OfThisMachine();
};

class EndpointService {
  public:
    struct Options {
        meta::Database* database = nullptr;  ///< borrowed, as all of these
        store::ObjectStore* objects = nullptr;
        const Clock* clock = nullptr;
        Fs* fs = nullptr;
        monitor::Metrics* metrics = nullptr;
        const monitor::AlarmService* alarms = nullptr;  ///< those that roll an update back
        Concurrency concurrency;
        std::uint64_t multi_model_bytes_max = std::uint64_t{1} << 30;  ///< of the models that multi-model variants hold
        std::string folder;         ///< made if missing: <folder>/archives is the shelf
        SpanSink* spans = nullptr;  ///< nullptr: asynchronous requests are not traced
        /// How often a thread looks at updates on their way, and every fifth time at traffic; 0 = there is no thread,
        /// AdvanceRollouts and BookTraffic are the caller's to call.
        std::chrono::milliseconds tick{200};
    };
    /// Loads every endpoint that was in service, before it returns. An endpoint whose archive is gone or damaged is
    /// marked Failed; that is no error of Open.
    static Result<std::unique_ptr<EndpointService>> Open(const Options& options);
    ~EndpointService();

    Catalog& catalog() { return catalog_; }
    ModelRegistry& registry() { return registry_; }

    struct Endpoint {
        meta::ResourceRecord record;
        EndpointSpec spec;
    };
    /// kAlreadyExists, kNotFound (configuration or model) with AWS's texts.
    Result<void> Create(const meta::Scope& scope, const std::string& name, const std::string& config_name,
                        const std::string& deployment_echo, std::span<const meta::Tag> tags);
    /// kNotFound (endpoint, new or old configuration, model), kConflict when another change is under way;
    /// kInvalidArgument for making an endpoint with instances serverless, which AWS does not do either; the errors of
    /// ArchiveShelf::LoadObject, after which the endpoint serves as before.
    Result<void> Update(const meta::Scope& scope, const std::string& name, const std::string& config_name,
                        const RetainOptions& retain, const std::string& deployment_echo);
    /// kNotFound, kConflict; kInvalidArgument for an unknown or repeated variant, and for capacity that a variant of
    /// its kind does not have.
    Result<void> UpdateWeights(const meta::Scope& scope, const std::string& name,
                               std::span<const WeightChange> changes);
    /// kNotFound, kConflict. What has been captured is written before it returns.
    Result<void> Delete(const meta::Scope& scope, const std::string& name);
    Result<Endpoint> Find(const meta::Scope& scope, const std::string& name) const;
    Result<meta::ResourcePage> List(const meta::ListQuery& query) const;

    /// The invoke path: nullptr when no endpoint of that name is in service.
    std::shared_ptr<const LiveEndpoint> FindLive(std::string_view account, std::string_view region,
                                                 std::string_view name) const {
        return table_.Find(account, region, name);
    }
    InvokeReply Invoke(const PickedVariant& picked, const InvokeRequest& request) {
        return invoker_.Invoke(picked, request);
    }
    /// For answers in slices (sliced_invocation.h).
    Invoker& invoker() { return invoker_; }
    /// The requests of endpoints whose LiveEndpoint::async is set.
    AsyncQueue& async() { return async_; }
    /// The models of multi-model variants.
    ModelCache& models() { return models_; }
    InvokeReply FailToLoad(const PickedVariant& picked, std::string_view target_model, const Error& error) {
        return invoker_.FailToLoad(picked, target_model, error);
    }
    const CaptureWriter& capture() const { return capture_; }
    const Invoker& invoker() const { return invoker_; }

    /// The last requests that a shadow variant answered too, newest first; empty when there is none of that name.
    std::vector<ShadowDifference> RecentDifferences(const meta::Scope& scope, const std::string& endpoint,
                                                    const std::string& variant) const;

    /// One look at the updates that are being rolled out, which happens several times a second by itself.
    void AdvanceRollouts();
    /// Books the traffic up to now as metrics (endpoint_metrics.h), which happens about once a second by itself.
    void BookTraffic();

    struct VariantTotals {
        meta::Scope scope;
        std::string endpoint;
        std::string variant;
        TrafficTotals traffic;
    };
    /// What variants of endpoints that are there have answered since the start of the server, up to the last booking.
    std::vector<VariantTotals> Totals() const;

  private:
    using EndpointId = std::pair<meta::Scope, std::string>;
    struct Shared;
    /// Holds the right to change one endpoint; gives it back when destroyed.
    class Turn {
      public:
        Turn(EndpointService& service, EndpointId id) : service_(&service), id_(std::move(id)) {}
        Turn(Turn&& other) noexcept : service_(std::exchange(other.service_, nullptr)), id_(std::move(other.id_)) {}
        Turn& operator=(Turn&&) = delete;
        ~Turn() {
            if (service_ == nullptr) return;
            std::lock_guard lock(service_->mutex_);
            service_->busy_.erase(id_);
        }

      private:
        EndpointService* service_;
        EndpointId id_;
    };
    static constexpr std::string_view kCreating = "Creating";
    static constexpr std::string_view kUpdating = "Updating";
    static constexpr std::string_view kRollingBack = "RollingBack";
    static constexpr std::string_view kInService = "InService";
    static constexpr std::string_view kFailed = "Failed";
    static constexpr std::size_t kFailureReasonBytesMax = 1024;

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
    /// One fleet of it, without what is pending.
    Result<std::shared_ptr<LiveEndpoint>> LoadFleet(const meta::Scope& scope, const std::string& name,
                                                    EndpointSpec& spec);
    Result<std::shared_ptr<const LoadedModel>> LoadArchive(DeployedVariant& variant);
    Result<LiveVariant> LoadVariant(const meta::Scope& scope, const std::string& name, const EndpointSpec& spec,
                                    DeployedVariant& variant);
    /// Writes the row with that status and spec, then puts the endpoint into the table, or takes it out.
    Result<void> Publish(meta::ResourceRecord record, std::string status, const EndpointSpec& spec,
                         std::shared_ptr<const LiveEndpoint> live);
    /// Says in the endpoint's log that it is in service, variant by variant, or why it is not. The SDK's
    /// deploy(endpoint_logging=True) waits until there is a log.
    void NoteStatus(const meta::ResourceRecord& record, const EndpointSpec& spec);
    /// How `next` is to be rolled out. kInvalidArgument for a DeploymentConfig that cannot be honoured.
    Result<RolloutPlan> PlanFor(const meta::Scope& scope, const EndpointSpec& next) const;
    Result<void> BeginRollout(Endpoint running, EndpointSpec next, const RolloutPlan& plan);
    /// False when there is nothing left to do.
    Result<bool> AdvanceRollout(const EndpointId& id);
    Result<bool> StepForward(Endpoint endpoint, const RolloutPlan& plan);
    Result<bool> StepBack(Endpoint endpoint, const RolloutPlan& plan);
    Result<std::string> ReasonToRollBack(const meta::Scope& scope, const RolloutPlan& plan,
                                         const PendingUpdate& pending) const;
    /// Commits a step and moves the traffic.
    Result<void> PublishRollout(Endpoint endpoint, std::string_view status);
    Result<void> EndRollout(Endpoint endpoint);
    /// A line for the endpoint's own log stream.
    template <typename... Arguments>
    void Note(const meta::ResourceRecord& record, fmt::format_string<Arguments...> text, Arguments&&... arguments) {
        log_.Add(record.scope, record.name, "endpoint", fmt::format(text, std::forward<Arguments>(arguments)...));
    }
    std::shared_ptr<TrafficStats> StatsOf(const EndpointId& id, const VariantSpec& spec);
    /// The line of a production variant, with the bounds of so many instances, or of its ServerlessConfig.
    std::shared_ptr<VariantLine> LineOf(const EndpointId& id, const VariantSpec& spec);
    std::shared_ptr<VariantLine> AsyncLineOf(const EndpointId& id, const VariantSpec& spec, const AsyncSpec& async);
    void BookAsync(const EndpointId& id, Shared& shared, UnixMillis now, std::vector<monitor::MetricValues>& values);
    /// The models that the variant holds, kept from one version of the deployment to the next; a new deployment begins
    /// with none, as new instances do.
    std::shared_ptr<ModelSet> ModelsOf(const EndpointId& id, const DeployedVariant& variant,
                                       const ServedModel& settings);
    std::shared_ptr<ShadowStats> DifferencesOf(const EndpointId& id, const std::string& variant);
    std::shared_ptr<TrafficSequence> SequenceOf(const EndpointId& id);
    /// Under mutex_.
    void BookModels(const EndpointId& id, Shared& shared, UnixMillis now, std::vector<monitor::MetricValues>& values);
    void SweepShelf();
    void Tick(const std::stop_token& stop);

    const Options options_;
    std::unique_ptr<ArchiveShelf> shelf_;
    ModelCache models_;  // before everything that holds a ModelSet
    Catalog catalog_;
    ModelRegistry registry_;
    meta::Resources endpoints_;
    EndpointTable table_;
    EndpointLog log_;
    CaptureWriter capture_;
    Invoker invoker_;
    ThreadPool invoke_pool_;
    AsyncQueue async_;

    mutable std::mutex mutex_;
    std::condition_variable_any ticker_wake_;
    std::set<EndpointId> busy_;                             // guarded by mutex_
    std::set<EndpointId> rolling_;                          // guarded by mutex_: updates that are on their way
    using Deployment = std::pair<std::string, UnixMillis>;  ///< a variant's name, and when it was deployed
    struct HeldModels {
        std::weak_ptr<ModelSet> set;
        std::int64_t booked_minute = 0;
    };
    struct Shared {
        VariantStats stats;
        std::map<std::string, std::shared_ptr<VariantLine>> lines;        ///< by production variant
        std::map<std::string, std::shared_ptr<VariantLine>> async_lines;  ///< the same, of asynchronous fleets
        std::map<std::string, std::shared_ptr<ShadowStats>> differences;  ///< by shadow variant
        std::map<Deployment, HeldModels> models;                          ///< of multi-model variants
        std::map<std::string, int> num_instances;                         ///< by variant, of the newest version
        bool is_async = false;                                            ///< of the newest version
        UnixMillis backlog_booked_at = 0;
        std::shared_ptr<TrafficSequence> sequence = std::make_shared<TrafficSequence>();
    };
    std::map<EndpointId, Shared> shared_;  // guarded by mutex_
    std::mutex booking_mutex_;             // held while traffic is booked, so that when it returns all is there
    std::mutex table_mutex_;               // writers of table_ take turns
    std::jthread ticker_;
};

}  // namespace espalier::hosting
