#include "hosting/endpoint_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "hosting/endpoint_metrics.h"
#include "hosting/hosting_lineage.h"
#include "meta/arn.h"
#include "store/s3_location.h"

namespace espalier::hosting {
namespace {

constexpr int kTicksPerBooking = 5;
constexpr std::size_t kInvokeTasksMax = 1 << 20;

std::string ArnOf(const meta::Scope& scope, std::string_view name) {
    return meta::SageMakerArn(scope, meta::ArnKind(meta::ResourceKind::kEndpoint), name);
}

Error NoSuchEndpoint(const meta::Scope& scope, std::string_view name) {
    return NoSuchResource(meta::ResourceKind::kEndpoint, scope, name);
}

Error InProgress(const meta::Scope& scope, std::string_view name) {
    return {ErrorCode::kConflict, fmt::format("Cannot update in-progress endpoint \"{}\".", ArnOf(scope, name))};
}

std::string Lower(std::string_view text) {
    return meta::FoldCase(text);
}

Result<std::shared_ptr<const CapturePlan>> PlanOf(const CaptureSpec& spec) {
    const store::S3Location location = TRY(store::ParseS3Location(spec.destination_uri));
    store::BucketName bucket = TRY(store::BucketName::Parse(location.bucket));
    CapturePlan plan{.share = TrafficShare(spec.sampling_percent / 100.0),
                     .bucket = std::move(bucket),
                     .input = spec.input,
                     .output = spec.output,
                     .csv_content_types = {},
                     .json_content_types = {}};
    for (const std::string& type : spec.csv_content_types) plan.csv_content_types.push_back(Lower(type));
    for (const std::string& type : spec.json_content_types) plan.json_content_types.push_back(Lower(type));
    return std::make_shared<const CapturePlan>(std::move(plan));
}

bool Captures(const EndpointSpec& spec) {
    return spec.capture && spec.capture->enabled && spec.capture->sampling_percent > 0;
}

/// Weight and instance count of the running variant of the same name, as far as `retain` says.
void Retain(const RetainOptions& retain, const std::vector<DeployedVariant>& running,
            std::vector<DeployedVariant>& next) {
    for (DeployedVariant& variant : next) {
        auto old = std::find_if(running.begin(), running.end(),
                                [&](const DeployedVariant& each) { return each.spec.name == variant.spec.name; });
        if (old == running.end()) continue;
        if (retain.weights) variant.spec.weight = old->spec.weight;
        if (retain.instance_counts && !variant.spec.serverless && !old->spec.serverless)
            variant.spec.num_instances = old->spec.num_instances;
    }
}

/// Capacity that the variant does not have is refused.
Result<void> ApplyCapacity(const WeightChange& change, VariantSpec& variant) {
    const bool serverless_change = change.max_concurrency || change.provisioned_concurrency;
    if (variant.serverless ? change.num_instances.has_value() : serverless_change)
        return Error(
            ErrorCode::kInvalidArgument,
            variant.serverless
                ? fmt::format("The variant \"{}\" is serverless: it has no DesiredInstanceCount. Give "
                              "ServerlessUpdateConfig.",
                              variant.name)
                : fmt::format("The variant \"{}\" is not serverless: it has no ServerlessUpdateConfig.", variant.name));
    if (change.num_instances) variant.num_instances = *change.num_instances;
    if (!serverless_change) return {};
    ServerlessSpec next = *variant.serverless;
    next.max_concurrency = change.max_concurrency.value_or(next.max_concurrency);
    next.provisioned_concurrency = change.provisioned_concurrency.value_or(next.provisioned_concurrency);
    TRY(CheckServerless(next));
    variant.serverless = next;
    return {};
}

bool IsServerless(const EndpointSpec& spec) {
    return !spec.production.empty() && spec.production[0].spec.serverless.has_value();
}

Result<void> ApplyChange(const WeightChange& change, EndpointSpec& spec, const std::string& config_arn) {
    for (std::vector<DeployedVariant>* variants : {&spec.production, &spec.shadow}) {
        for (DeployedVariant& variant : *variants) {
            if (variant.spec.name != change.variant_name) continue;
            if (change.weight) variant.spec.weight = *change.weight;
            return ApplyCapacity(change, variant.spec);
        }
    }
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("The variant name(s) \"{}\" is not present within endpoint configuration \"{}\".",
                             change.variant_name, config_arn));
}

}  // namespace

Concurrency Concurrency::OfThisMachine() {
    const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    return {.num_threads = cores, .running_per_instance = cores};
}

Result<std::unique_ptr<EndpointService>> EndpointService::Open(const Options& options) {
    TRY(options.fs->MakeFolder(options.folder));
    TRY(options.fs->MakeFolder(options.folder + "/inputs"));
    std::unique_ptr<ArchiveShelf> shelf =
        TRY(ArchiveShelf::Open({.folder = options.folder + "/archives", .objects = options.objects, .fs = options.fs}));
    std::unique_ptr<EndpointService> service(new EndpointService(options, std::move(shelf)));
    TRY(service->Restore());
    return service;
}

EndpointService::EndpointService(const Options& options, std::unique_ptr<ArchiveShelf> shelf)
    : options_(options),
      shelf_(std::move(shelf)),
      models_({.shelf = shelf_.get(),
               .bytes_max = options.multi_model_bytes_max,
               .num_loaders = static_cast<std::size_t>(options.concurrency.num_threads)}),
      catalog_(
          {.database = options.database, .objects = options.objects, .shelf = shelf_.get(), .clock = options.clock}),
      registry_({.database = options.database, .shelf = shelf_.get(), .clock = options.clock}),
      endpoints_(*options.database, meta::ResourceKind::kEndpoint),
      log_(*options.database, *options.clock),
      capture_(*options.objects),
      invoker_(capture_, log_, models_, *options.clock),
      invoke_pool_({.num_threads = static_cast<std::size_t>(options.concurrency.num_threads),
                    .queued_tasks_max = kInvokeTasksMax}),
      async_({.database = options.database,
              .objects = options.objects,
              .clock = options.clock,
              .table = &table_,
              .invoker = &invoker_,
              .log = &log_,
              .spans = options.spans,
              .folder = options.folder + "/inputs",
              .num_threads = static_cast<std::size_t>(options.concurrency.num_threads)}) {}

EndpointService::~EndpointService() {
    // Mirrored requests may still capture and count: they end before the capture writer and the last booking do.
    async_.Stop();
    invoke_pool_.Stop();
    invoker_.Stop();
    models_.Stop();
    ticker_ = std::jthread();
    BookTraffic();
}

Result<void> EndpointService::Restore() {
    std::vector<meta::ResourceRecord> records = TRY(endpoints_.All());
    for (meta::ResourceRecord& record : records) {
        const std::string name = record.name;
        if (Result<void> restored = RestoreOne(std::move(record)); !restored)
            LOG_ERROR("an endpoint could not be restored", {"endpoint", name}, {"error", restored.error().ToString()});
    }
    SweepShelf();
    TRY(async_.Restore([&](const meta::Scope& scope, const std::string& name) {
        const auto known = endpoints_.Find(scope, name);
        return !known || known->has_value();
    }));
    // Only now: a step of an update that goes on must not be overtaken by what is written here about its endpoint.
    if (options_.tick.count() > 0) {
        ticker_ = std::jthread([this](const std::stop_token& stop) { Tick(stop); });
        async_.Start();
    }
    return {};
}

Result<void> EndpointService::RestoreOne(meta::ResourceRecord record) {
    if (record.status == kFailed) return {};
    EndpointSpec spec = TRY(ParseEndpointSpec(record.document));
    auto live = Load(record.scope, record.name, spec);
    if (!live && spec.pending != nullptr) {
        spec.failure_reason =
            fmt::format("The update to {} was rolled back. {}", spec.pending->next.config_name, live.error().ToString())
                .substr(0, kFailureReasonBytesMax);
        spec.pending = nullptr;
        live = Load(record.scope, record.name, spec);
    }
    if (live) {
        LOG_INFO("endpoint in service again", {"endpoint", record.name}, {"was", record.status},
                 {"update_goes_on", spec.pending != nullptr});
        std::string status(kInService);
        if (spec.pending != nullptr) {
            status = record.status;
            std::lock_guard lock(mutex_);
            rolling_.insert({record.scope, record.name});
        }
        return Publish(std::move(record), std::move(status), spec, std::move(*live));
    }
    spec.failure_reason = live.error().ToString().substr(0, kFailureReasonBytesMax);
    LOG_ERROR("endpoint failed at start", {"endpoint", record.name}, {"reason", spec.failure_reason});
    return Publish(std::move(record), std::string(kFailed), spec, nullptr);
}

Result<EndpointService::Turn> EndpointService::TakeTurn(const meta::Scope& scope, const std::string& name) {
    std::lock_guard lock(mutex_);
    EndpointId id(scope, name);
    if (!busy_.insert(id).second) return InProgress(scope, name);
    return Turn(*this, std::move(id));
}

Result<EndpointSpec> EndpointService::SpecFrom(const meta::Scope& scope, const std::string& config_name) const {
    const Catalog::Config config = TRY(catalog_.FindEndpointConfig(scope, config_name));
    EndpointSpec spec{.config_name = config_name,
                      .production = {},
                      .shadow = {},
                      .capture = config.spec.capture,
                      .async = config.spec.async,
                      .failure_reason = "",
                      .deployment_echo = ""};
    auto deploy = [&](const VariantSpec& variant) -> Result<DeployedVariant> {
        Catalog::Model model = TRY(catalog_.FindModel(scope, variant.model_name));
        return DeployedVariant{.spec = variant,
                               .image = std::move(model.spec.image),
                               .model_data_url = std::move(model.spec.model_data_url),
                               .environment = std::move(model.spec.environment),
                               .multi_model = model.spec.multi_model,
                               .archive_id = "",
                               .resolved_at = options_.clock->WallMillis()};
    };
    for (const VariantSpec& variant : config.spec.production) {
        DeployedVariant deployed = TRY(deploy(variant));
        spec.production.push_back(std::move(deployed));
    }
    for (const VariantSpec& variant : config.spec.shadow) {
        DeployedVariant deployed = TRY(deploy(variant));
        spec.shadow.push_back(std::move(deployed));
    }
    return spec;
}

Result<std::shared_ptr<const LoadedModel>> EndpointService::LoadArchive(DeployedVariant& variant) {
    const store::S3Location location = TRY(store::ParseS3Location(variant.model_data_url));
    auto loaded = variant.archive_id.empty() ? shelf_->LoadObject(location) : shelf_->LoadShelved(variant.archive_id);
    if (!loaded)
        return std::move(loaded).error().Wrap(
            fmt::format("The container of production variant {} could not be started", variant.spec.name));
    TRY(CheckMemory(variant.spec, loaded->model->memory_bytes));
    variant.archive_id = loaded->archive_id;
    return std::move(loaded->model);
}

Result<LiveVariant> EndpointService::LoadVariant(const meta::Scope& scope, const std::string& name,
                                                 const EndpointSpec& spec, DeployedVariant& variant) {
    LiveVariant live{.name = variant.spec.name,
                     .served = TRY(ServeSettings(variant.image, variant.environment, variant.multi_model.has_value())),
                     .stats = StatsOf({scope, name}, variant.spec),
                     .capture_prefix = ""};
    if (variant.multi_model)
        live.models = ModelsOf({scope, name}, variant, live.served);
    else
        live.served.model = TRY(LoadArchive(variant));
    if (Captures(spec)) {
        const store::S3Location root = TRY(store::ParseS3Location(spec.capture->destination_uri));
        live.capture_prefix = root.Join(fmt::format("{}/{}", name, variant.spec.name)).key;
    }
    return live;
}

Result<std::shared_ptr<const LiveEndpoint>> EndpointService::Load(const meta::Scope& scope, const std::string& name,
                                                                  EndpointSpec& spec) {
    std::shared_ptr<LiveEndpoint> endpoint = TRY(LoadFleet(scope, name, spec));
    if (spec.pending != nullptr) {
        EndpointSpec next = spec.pending->next;
        endpoint->next = TRY(LoadFleet(scope, name, next));
        endpoint->next_share = TrafficShare(spec.pending->share);
    }
    return std::shared_ptr<const LiveEndpoint>(std::move(endpoint));
}

Result<std::shared_ptr<LiveEndpoint>> EndpointService::LoadFleet(const meta::Scope& scope, const std::string& name,
                                                                 EndpointSpec& spec) {
    auto endpoint = std::make_shared<LiveEndpoint>();
    endpoint->scope = scope;
    endpoint->name = name;
    endpoint->sequence = SequenceOf({scope, name});
    std::vector<double> weights;
    double total = 0;
    for (DeployedVariant& variant : spec.production) {
        LiveVariant live = TRY(LoadVariant(scope, name, spec, variant));
        live.line =
            spec.async ? AsyncLineOf({scope, name}, variant.spec, *spec.async) : LineOf({scope, name}, variant.spec);
        endpoint->production.push_back(std::move(live));
        weights.push_back(variant.spec.weight);
        total += variant.spec.weight;
    }
    endpoint->picker = VariantPicker(weights);
    for (DeployedVariant& variant : spec.shadow) {
        auto live = std::make_shared<const LiveVariant>(TRY(LoadVariant(scope, name, spec, variant)));
        endpoint->shadows.push_back({.variant = std::move(live),
                                     .share = TrafficShare(total > 0 ? variant.spec.weight / total : 0.0),
                                     .differences = DifferencesOf({scope, name}, variant.spec.name)});
    }
    if (Captures(spec)) endpoint->capture = TRY(PlanOf(*spec.capture));
    if (spec.async) endpoint->async = std::make_shared<const AsyncSpec>(*spec.async);
    std::lock_guard lock(mutex_);
    shared_[{scope, name}].is_async = spec.async.has_value();
    return endpoint;
}

Result<void> EndpointService::Publish(meta::ResourceRecord record, std::string status, const EndpointSpec& spec,
                                      std::shared_ptr<const LiveEndpoint> live) {
    record.status = std::move(status);
    record.document = ToDocument(spec);
    TRY(endpoints_.Update(record));
    if (record.status == kInService)
        NoteEndpointLineage(*options_.database, record.scope, record.name, spec, options_.clock->WallMillis());
    NoteStatus(record, spec);
    {
        std::lock_guard lock(table_mutex_);
        if (live != nullptr)
            table_.Put(std::move(live));
        else
            table_.Remove(record.scope, record.name);
    }
    async_.Wake();
    return {};
}

void EndpointService::NoteStatus(const meta::ResourceRecord& record, const EndpointSpec& spec) {
    if (record.status == kFailed) Note(record, "The endpoint failed. {}", spec.failure_reason);
    if (record.status != kInService) return;
    for (const std::vector<DeployedVariant>* variants : {&spec.production, &spec.shadow})
        for (const DeployedVariant& variant : *variants)
            log_.Add(record.scope, record.name, variant.spec.name,
                     fmt::format("In service: {}, weight {}, configuration {}.", variant.model_data_url,
                                 variant.spec.weight, spec.config_name));
}

Result<void> EndpointService::Create(const meta::Scope& scope, const std::string& name, const std::string& config_name,
                                     const std::string& deployment_echo, std::span<const meta::Tag> tags) {
    auto exists = [&] {
        return Error(ErrorCode::kAlreadyExists,
                     fmt::format("Cannot create already existing endpoint \"{}\".", ArnOf(scope, name)));
    };
    if (TRY(endpoints_.ExistsFolded(scope, name))) return exists();
    EndpointSpec spec = TRY(SpecFrom(scope, config_name));
    spec.deployment_echo = deployment_echo;
    TRY(PlanFor(scope, spec));
    auto turn = TakeTurn(scope, name);
    if (!turn) return exists();
    const ArchiveShelf::HoldToken hold = shelf_->Hold();
    const UnixMillis now = options_.clock->WallMillis();
    meta::ResourceRecord record{.scope = scope,
                                .name = name,
                                .created_at = now,
                                .modified_at = now,
                                .status = std::string(kCreating),
                                .document = ToDocument(spec)};
    Result<void> inserted = endpoints_.Insert(record, tags);
    if (!inserted && inserted.error().code() == ErrorCode::kAlreadyExists) return exists();
    TRY(std::move(inserted));

    auto live = Load(scope, name, spec);
    record.modified_at = options_.clock->WallMillis();
    if (live) return Publish(std::move(record), std::string(kInService), spec, std::move(*live));
    spec.failure_reason = live.error().ToString().substr(0, kFailureReasonBytesMax);
    LOG_WARN("endpoint failed", {"endpoint", name}, {"reason", spec.failure_reason});
    return Publish(std::move(record), std::string(kFailed), spec, nullptr);
}

Result<void> EndpointService::Update(const meta::Scope& scope, const std::string& name, const std::string& config_name,
                                     const RetainOptions& retain, const std::string& deployment_echo) {
    Turn turn = TRY(TakeTurn(scope, name));
    Endpoint running = TRY(Find(scope, name));
    if (running.spec.pending != nullptr) return InProgress(scope, name);
    EndpointSpec next = TRY(SpecFrom(scope, config_name));
    // As AWS does: the configuration in use must still be there to be updated from.
    TRY(catalog_.FindEndpointConfig(scope, running.spec.config_name));
    if (IsServerless(next) && !IsServerless(running.spec))
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("Endpoint \"{}\" has instances and cannot become serverless. Create another endpoint "
                                 "with the configuration {}.",
                                 ArnOf(scope, name), config_name));
    Retain(retain, running.spec.production, next.production);
    Retain(retain, running.spec.shadow, next.shadow);
    if (retain.capture) next.capture = running.spec.capture;
    next.deployment_echo = deployment_echo;
    const RolloutPlan plan = TRY(PlanFor(scope, next));
    {
        const ArchiveShelf::HoldToken hold = shelf_->Hold();
        const bool in_service = running.record.status == kInService;
        if (in_service) {
            running.record.status = kUpdating;
            TRY(endpoints_.Update(running.record));
        }
        auto live = Load(scope, name, next);
        running.record.modified_at = options_.clock->WallMillis();
        if (!live) {
            running.record.status = in_service ? kInService : kFailed;
            TRY(endpoints_.Update(running.record));
            return std::move(live).error();
        }
        if (in_service && !plan.immediate()) return BeginRollout(std::move(running), std::move(next), plan);
        TRY(Publish(std::move(running.record), std::string(kInService), next, std::move(*live)));
    }
    SweepShelf();
    return {};
}

Result<void> EndpointService::UpdateWeights(const meta::Scope& scope, const std::string& name,
                                            std::span<const WeightChange> changes) {
    Turn turn = TRY(TakeTurn(scope, name));
    Endpoint endpoint = TRY(Find(scope, name));
    if (endpoint.record.status != kInService)
        return Error(ErrorCode::kConflict, fmt::format("Endpoint \"{}\" cannot be updated in status {}.",
                                                       ArnOf(scope, name), endpoint.record.status));
    const std::string config_arn =
        meta::SageMakerArn(scope, meta::ArnKind(meta::ResourceKind::kEndpointConfig), endpoint.spec.config_name);
    std::set<std::string> seen;
    for (const WeightChange& change : changes) {
        if (!seen.insert(change.variant_name).second)
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("The variant \"{}\" is given twice.", change.variant_name));
        TRY(ApplyChange(change, endpoint.spec, config_arn));
    }
    const ArchiveShelf::HoldToken hold = shelf_->Hold();
    std::shared_ptr<const LiveEndpoint> live = TRY(Load(scope, name, endpoint.spec));
    endpoint.record.modified_at = options_.clock->WallMillis();
    return Publish(std::move(endpoint.record), std::string(kInService), endpoint.spec, std::move(live));
}

Result<void> EndpointService::Delete(const meta::Scope& scope, const std::string& name) {
    Turn turn = TRY(TakeTurn(scope, name));
    if (auto known = Find(scope, name); known && known->spec.pending != nullptr) return InProgress(scope, name);
    Result<void> deleted = endpoints_.Delete(scope, name);
    if (!deleted && deleted.error().code() == ErrorCode::kNotFound) return NoSuchEndpoint(scope, name);
    TRY(std::move(deleted));
    {
        std::lock_guard lock(table_mutex_);
        table_.Remove(scope, name);
    }
    if (async_.BacklogOf(scope, name).size > 0)
        TRY(async_.Close(scope, name, fmt::format("ClientError: The endpoint {} was deleted.", name)));
    BookTraffic();
    {
        std::lock_guard lock(mutex_);
        shared_.erase({scope, name});
    }
    capture_.Flush();
    SweepShelf();
    return {};
}

Result<EndpointService::Endpoint> EndpointService::Find(const meta::Scope& scope, const std::string& name) const {
    std::optional<meta::ResourceRecord> record = TRY(endpoints_.Find(scope, name));
    if (!record) return NoSuchEndpoint(scope, name);
    EndpointSpec spec = TRY(ParseEndpointSpec(record->document));
    return Endpoint{std::move(*record), std::move(spec)};
}

Result<meta::ResourcePage> EndpointService::List(const meta::ListQuery& query) const {
    return endpoints_.List(query);
}

std::shared_ptr<TrafficStats> EndpointService::StatsOf(const EndpointId& id, const VariantSpec& spec) {
    std::lock_guard lock(mutex_);
    shared_[id].num_instances[spec.name] = spec.num_instances;
    std::shared_ptr<TrafficStats>& stats = shared_[id].stats[spec.name];
    if (stats == nullptr) stats = std::make_shared<TrafficStats>();
    return stats;
}

std::shared_ptr<VariantLine> EndpointService::LineOf(const EndpointId& id, const VariantSpec& spec) {
    std::lock_guard lock(mutex_);
    std::shared_ptr<VariantLine>& line = shared_[id].lines[spec.name];
    if (line == nullptr) line = std::make_shared<VariantLine>(invoke_pool_);
    const int instances = std::max(spec.num_instances, 1);
    if (spec.serverless)
        line->SetBounds({.running_max = spec.serverless->max_concurrency, .waiting_max = 0});
    else
        line->SetBounds({.running_max = instances * options_.concurrency.running_per_instance,
                         .waiting_max = instances * options_.concurrency.waiting_per_instance});
    return line;
}

std::shared_ptr<VariantLine> EndpointService::AsyncLineOf(const EndpointId& id, const VariantSpec& spec,
                                                          const AsyncSpec& async) {
    const int per_instance =
        async.concurrent_per_instance > 0 ? async.concurrent_per_instance : options_.concurrency.running_per_instance;
    std::lock_guard lock(mutex_);
    std::shared_ptr<VariantLine>& line = shared_[id].async_lines[spec.name];
    if (line == nullptr) line = std::make_shared<VariantLine>(async_.pool());
    // Those who wait do so in the queue, where they survive a restart.
    line->SetBounds({.running_max = spec.num_instances * per_instance, .waiting_max = 0});
    return line;
}

std::shared_ptr<ModelSet> EndpointService::ModelsOf(const EndpointId& id, const DeployedVariant& variant,
                                                    const ServedModel& settings) {
    // The URL was parsed when the model was made.
    ModelSource source{.prefix = store::ParseS3Location(variant.model_data_url).value(),
                       .settings = settings,
                       .keeps_models = variant.multi_model->keeps_models};
    std::lock_guard lock(mutex_);
    HeldModels& held = shared_[id].models[{variant.spec.name, variant.resolved_at}];
    std::shared_ptr<ModelSet> set = held.set.lock();
    if (set == nullptr || set->source() != source) held.set = set = models_.NewSet(std::move(source));
    return set;
}

std::shared_ptr<ShadowStats> EndpointService::DifferencesOf(const EndpointId& id, const std::string& variant) {
    std::lock_guard lock(mutex_);
    std::shared_ptr<ShadowStats>& differences = shared_[id].differences[variant];
    if (differences == nullptr) differences = std::make_shared<ShadowStats>();
    return differences;
}

std::vector<ShadowDifference> EndpointService::RecentDifferences(const meta::Scope& scope, const std::string& endpoint,
                                                                 const std::string& variant) const {
    std::lock_guard lock(mutex_);
    const auto shared = shared_.find({scope, endpoint});
    if (shared == shared_.end()) return {};
    const auto found = shared->second.differences.find(variant);
    if (found == shared->second.differences.end()) return {};
    return found->second->Recent();
}

std::shared_ptr<TrafficSequence> EndpointService::SequenceOf(const EndpointId& id) {
    std::lock_guard lock(mutex_);
    return shared_[id].sequence;
}

void EndpointService::BookTraffic() {
    std::lock_guard booking(booking_mutex_);
    const UnixMillis now = options_.clock->WallMillis();
    std::vector<monitor::MetricValues> values;
    {
        std::lock_guard lock(mutex_);
        for (auto& [id, shared] : shared_) {
            for (auto& [variant, stats] : shared.stats) {
                const EndpointVariant which{id.first, id.second, variant, shared.num_instances[variant],
                                            shared.is_async};
                AppendEndpointMetrics(which, stats->Take(), now, values);
            }
            BookAsync(id, shared, now, values);
            for (auto& [variant, differences] : shared.differences)
                AppendShadowMetrics({id.first, id.second, variant}, differences->Take(), now, values);
            BookModels(id, shared, now, values);
        }
    }
    if (Result<void> put = options_.metrics->Put(values); !put)
        LOG_ERROR("the traffic of endpoints was not booked", {"error", put.error().ToString()});
    if (Result<void> flushed = log_.Flush(); !flushed)
        LOG_ERROR("the logs of endpoints were not written", {"error", flushed.error().ToString()});
}

void EndpointService::BookAsync(const EndpointId& id, Shared& shared, UnixMillis now,
                                std::vector<monitor::MetricValues>& values) {
    for (const auto& [variant, taken] : async_.Take(id.first, id.second))
        AppendAsyncMetrics({id.first, id.second, variant}, taken, now, values);
    const Backlog backlog = async_.BacklogOf(id.first, id.second);
    if (backlog.size == 0 && (!shared.is_async || now - shared.backlog_booked_at < kIdleGaugeMillis)) return;
    const auto live = table_.Find(id.first.account, id.first.region, id.second);
    if (live == nullptr) return;
    EndpointVariant which{.scope = id.first, .endpoint = id.second, .variant = "", .num_instances = 0};
    for (const LiveVariant& variant : live->production) which.num_instances += shared.num_instances[variant.name];
    AppendBacklogMetrics(which, backlog, now, values);
    shared.backlog_booked_at = now;
}

std::vector<EndpointService::VariantTotals> EndpointService::Totals() const {
    std::lock_guard lock(mutex_);
    std::vector<VariantTotals> totals;
    for (const auto& [id, shared] : shared_)
        for (const auto& [variant, stats] : shared.stats)
            totals.push_back(
                {.scope = id.first, .endpoint = id.second, .variant = variant, .traffic = stats->Totals()});
    return totals;
}

void EndpointService::BookModels(const EndpointId& id, Shared& shared, UnixMillis now,
                                 std::vector<monitor::MetricValues>& values) {
    constexpr UnixMillis kMinute = 60'000;
    std::erase_if(shared.models, [](const auto& each) { return each.second.set.expired(); });
    for (auto& [deployment, held] : shared.models) {
        const std::shared_ptr<ModelSet> set = held.set.lock();
        if (set == nullptr) continue;
        const ModelSetTaken taken = models_.Take(*set);
        if (taken.empty() && held.booked_minute == now / kMinute) continue;
        held.booked_minute = now / kMinute;
        AppendModelSetMetrics({id.first, id.second, deployment.first}, taken, now, values);
    }
}

void EndpointService::SweepShelf() {
    shelf_->Sweep([this] {
        std::set<std::string> used;
        auto records = endpoints_.All();
        if (!records) return std::optional<std::set<std::string>>();
        for (const meta::ResourceRecord& record : *records) {
            auto spec = ParseEndpointSpec(record.document);
            if (!spec) return std::optional<std::set<std::string>>();
            const auto note = [&](const EndpointSpec& fleet) {
                for (const auto* variants : {&fleet.production, &fleet.shadow})
                    for (const DeployedVariant& variant : *variants) used.insert(variant.archive_id);
            };
            note(*spec);
            if (spec->pending != nullptr) note(spec->pending->next);
        }
        return std::optional(std::move(used));
    });
}

void EndpointService::Tick(const std::stop_token& stop) {
    std::mutex waiting;
    std::unique_lock lock(waiting);
    for (int tick = 1; !stop.stop_requested(); ++tick) {
        ticker_wake_.wait_for(lock, stop, options_.tick, [] { return false; });
        AdvanceRollouts();
        models_.GiveUpWaiting(std::chrono::steady_clock::now());
        if (tick % kTicksPerBooking == 0) BookTraffic();
    }
}

}  // namespace espalier::hosting
