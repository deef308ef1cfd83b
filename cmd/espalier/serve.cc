// `espalier serve`: wires the objects, serves until SIGTERM or SIGINT, drains.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "api/auth/authenticator.h"
#include "api/console/console_service.h"
#include "api/front_door.h"
#include "api/iam/iam_service.h"
#include "api/logs/logs_service.h"
#include "api/metrics/alarm_operations.h"
#include "api/metrics/metric_operations.h"
#include "api/metrics/metrics_service.h"
#include "api/runtime/runtime_service.h"
#include "api/s3/s3_service.h"
#include "api/sagemaker/describe_hold.h"
#include "api/sagemaker/hosting_operations.h"
#include "api/sagemaker/lineage_operations.h"
#include "api/sagemaker/model_registry_operations.h"
#include "api/sagemaker/sagemaker_service.h"
#include "api/sagemaker/search_operations.h"
#include "api/sagemaker/training_job_operations.h"
#include "api/sagemaker/transform_job_operations.h"
#include "api/sagemaker/tuning_job_operations.h"
#include "api/scaling/scaling_service.h"
#include "api/telemetry/metric_series.h"
#include "api/telemetry/otlp_exporter.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "espalier/commands.h"
#include "espalier/data_folder.h"
#include "espalier/root_key.h"
#include "espalier/serve_options.h"
#include "hosting/autoscaler.h"
#include "hosting/endpoint_service.h"
#include "http/server.h"
#include "jobs/job_service.h"
#include "jobs/launcher_local.h"
#include "jobs/transform/transform_service.h"
#include "jobs/tuning/tuning_service.h"
#include "meta/database.h"
#include "meta/job_counts.h"
#include "monitor/alarm_service.h"
#include "monitor/log_sweeper.h"
#include "store/object_store.h"

namespace espalier::cmd {
namespace {

// Some thousand rows: deletes, stops and ends of jobs on a full disk.
constexpr std::size_t kDatabaseRoomBytes = 2 << 20;

int signal_pipe[2] = {-1, -1};

void OnSignal(int) {
    int saved = errno;
    [[maybe_unused]] ssize_t ignored = write(signal_pipe[1], "x", 1);
    errno = saved;
}

/// A handler and a pipe instead of a blocked mask: training processes would inherit the mask.
Result<void> CatchSignals() {
    if (pipe2(signal_pipe, O_CLOEXEC) != 0) return ErrnoError("pipe", errno);
    struct sigaction action {};
    action.sa_handler = OnSignal;
    action.sa_flags = static_cast<int>(SA_RESETHAND);  // a second Ctrl-C ends the program without draining
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    return {};
}

void WaitForSignal() {
    char byte;
    while (read(signal_pipe[0], &byte, 1) < 0 && errno == EINTR) {
    }
}

/// Raises the soft limit of open files as far as the hard one allows, and keeps some for everything but connections.
void FitFileLimit(http::ServerOptions& options) {
    constexpr rlim_t kOtherFiles = 512;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const rlim_t wanted = options.connections_max + kOtherFiles;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = std::min(wanted, limit.rlim_max);
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= wanted) return;
    options.connections_max = limit.rlim_cur > 2 * kOtherFiles ? limit.rlim_cur - kOtherFiles : limit.rlim_cur / 2;
    LOG_WARN("the limit of open files is low; fewer connections are accepted", {"open_files_max", limit.rlim_cur},
             {"connections_max", options.connections_max});
}

/// Accepts requests until a signal, then drains. Held requests are answered first: nothing is to be waited for any
/// more.
Result<void> RunUntilSignal(ServeOptions options, const ListenAddress& address, api::FrontDoor& front_door,
                            api::sagemaker::DescribeHold& describe_hold) {
    FitFileLimit(options.http);
    options.http.address = address.host;
    options.http.port = address.port;
    std::unique_ptr<http::Server> server = TRY(http::Server::Start(options.http, front_door));
    const std::string url = "http://" + address.WithPort(server->port());
    TRY(WriteEndpoint(options.data_folder, url));
    std::printf("Espalier is ready at %s\n", url.c_str());
    std::fflush(stdout);
    LOG_INFO("serving", {"data", options.data_folder}, {"open", options.open}, {"account", options.account});

    WaitForSignal();
    LOG_INFO("draining", {"connections", server->num_connections()});
    front_door.StopBeingReady();
    describe_hold.Close();
    server->Stop(std::chrono::seconds(options.drain_seconds));
    LOG_INFO("stopped");
    return {};
}

/// Everything that runs jobs; the later use the earlier.
struct JobServices {
    explicit JobServices(const jobs::LocalLauncher::Options& programs) : launcher(programs) {}
    jobs::LocalLauncher launcher;
    std::unique_ptr<jobs::JobService> training;
    std::unique_ptr<jobs::TuningService> tuning;
    std::unique_ptr<jobs::TransformService> transforms;
};

Result<std::unique_ptr<JobServices>> OpenJobs(const ServeOptions& options, meta::Database& database,
                                              store::ObjectStore& objects, const Clock& clock, SpanSink* spans) {
    const jobs::LocalLauncher::Options programs = jobs::LocalLauncher::ForThisMachine();
    const int num_slots = jobs::JobService::SlotsFor(programs.num_cores);
    auto services = std::make_unique<JobServices>(programs);
    services->training = TRY(jobs::JobService::Open({.database = &database,
                                                     .store = &objects,
                                                     .launcher = &services->launcher,
                                                     .clock = &clock,
                                                     .folder = options.data_folder + "/jobs",
                                                     .num_cores = programs.num_cores,
                                                     .num_slots = num_slots,
                                                     .spans = spans}));
    services->tuning = TRY(jobs::TuningService::Open(
        {.database = &database, .training = services->training.get(), .clock = &clock, .spans = spans}));
    services->transforms = TRY(jobs::TransformService::Open({.database = &database,
                                                             .store = &objects,
                                                             .launcher = &services->launcher,
                                                             .clock = &clock,
                                                             .folder = options.data_folder + "/transforms",
                                                             .num_cores = programs.num_cores,
                                                             .num_slots = num_slots,
                                                             .spans = spans}));
    return services;
}

/// Endpoints and what watches them; the later use the earlier.
struct HostingServices {
    HostingServices(meta::Database& database, const Clock& clock)
        : metrics(database), alarms({.database = &database, .metrics = &metrics, .clock = &clock}) {}
    monitor::Metrics metrics;
    monitor::AlarmService alarms;
    std::unique_ptr<hosting::EndpointService> endpoints;
    std::unique_ptr<hosting::Autoscaler> autoscaler;
};

Result<std::unique_ptr<HostingServices>> OpenHosting(const ServeOptions& options, meta::Database& database,
                                                     store::ObjectStore& objects, const Clock& clock, Fs& fs,
                                                     SpanSink* spans) {
    auto services = std::make_unique<HostingServices>(database, clock);
    services->endpoints = TRY(hosting::EndpointService::Open({.database = &database,
                                                              .objects = &objects,
                                                              .clock = &clock,
                                                              .fs = &fs,
                                                              .metrics = &services->metrics,
                                                              .alarms = &services->alarms,
                                                              .concurrency = options.concurrency,
                                                              .multi_model_bytes_max = options.multi_model_bytes_max,
                                                              .folder = options.data_folder + "/hosting",
                                                              .spans = spans}));
    services->autoscaler =
        std::make_unique<hosting::Autoscaler>(hosting::Autoscaler::Options{.database = &database,
                                                                           .endpoints = services->endpoints.get(),
                                                                           .metrics = &services->metrics,
                                                                           .alarms = &services->alarms,
                                                                           .clock = &clock});
    return services;
}

/// nullptr when no collector is named, by the configuration or by the environment. Made first, so that it goes last:
/// what ends before still hands on its spans.
Result<std::unique_ptr<api::OtlpExporter>> StartExporter(const ServeOptions& options) {
    std::string endpoint = options.otlp_endpoint;
    if (const char* named = std::getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); endpoint.empty() && named != nullptr)
        endpoint = named;
    if (endpoint.empty()) return std::unique_ptr<api::OtlpExporter>();
    return api::OtlpExporter::Start(endpoint);
}

api::FrontDoor::Options DoorOptions(const ServeOptions& options, SpanSink* spans) {
    return {.verify_scope = !options.open, .log_answers = options.log_requests, .spans = spans};
}

/// What /metrics tells of endpoints, jobs and traces. All are borrowed.
void AddSeries(api::FrontDoor& front_door, hosting::EndpointService& hosting, meta::Database& database,
               const api::OtlpExporter* exporter) {
    front_door.AddSeries([&hosting] { return api::VariantSeries(hosting.Totals()); });
    front_door.AddSeries([&database] {
        const auto counts = meta::CountJobs(database);
        return counts ? api::JobSeries(*counts) : std::string();
    });
    if (exporter != nullptr)
        front_door.AddSeries([exporter] { return api::SpanSeries(exporter->num_exported(), exporter->num_dropped()); });
}

api::sagemaker::OperationTable SageMakerOperations(hosting::EndpointService& hosting, const JobServices& jobs,
                                                   meta::Database& database, const Clock& clock,
                                                   api::sagemaker::DescribeHold& describe_hold) {
    api::sagemaker::OperationTable operations;
    api::sagemaker::AddModelOperations(operations, hosting);
    api::sagemaker::AddModelPackageGroupOperations(operations, hosting);
    api::sagemaker::AddModelPackageOperations(operations, hosting);
    api::sagemaker::AddModelCardOperations(operations, hosting);
    api::sagemaker::AddEndpointConfigOperations(operations, hosting);
    api::sagemaker::AddEndpointOperations(operations, hosting);
    api::sagemaker::AddTrainingJobOperations(operations, *jobs.training, describe_hold);
    api::sagemaker::AddTuningJobOperations(operations, *jobs.tuning, describe_hold);
    api::sagemaker::AddTransformJobOperations(operations, *jobs.transforms, hosting, describe_hold);
    api::sagemaker::AddTagOperations(operations, database);
    api::sagemaker::AddLineageOperations(operations, {.database = &database, .clock = &clock});
    api::sagemaker::AddAssociationOperations(operations, {.database = &database, .clock = &clock});
    api::sagemaker::AddSearchOperations(operations, *jobs.training, *jobs.tuning, database);
    api::sagemaker::AddNotebookOperations(operations, "LocalSageMakerRole", clock);
    return operations;
}

Result<void> Serve(ServeOptions options) {
    ListenAddress address = TRY(ParseListen(options.listen));
    if (options.open && !address.loopback) {
        return Error(ErrorCode::kPermission, "--open checks no signatures, so it is refused on " + options.listen +
                                                 "; listen on 127.0.0.1, or leave --open out");
    }
    if (options.data_folder.empty()) options.data_folder = DefaultDataFolder();
    TRY(MakeDataFolder(options.data_folder));
    Fd lock = TRY(LockDataFolder(options.data_folder));
    RootKey root = TRY(ReadOrMakeRootKey(options.data_folder));
    TRY(CatchSignals());

    SystemClock clock;
    RealFs fs;
    const std::unique_ptr<api::OtlpExporter> exporter = TRY(StartExporter(options));
    std::unique_ptr<meta::Database> database =
        TRY(meta::Database::Open(options.data_folder + "/espalier.db", kDatabaseRoomBytes));
    std::unique_ptr<store::ObjectStore> objects = TRY(store::ObjectStore::Open(
        {.folder = options.data_folder + "/objects", .database = database.get(), .clock = &clock, .fs = &fs}));
    const std::unique_ptr<HostingServices> hosted =
        TRY(OpenHosting(options, *database, *objects, clock, fs, exporter.get()));
    hosting::EndpointService& hosting = *hosted->endpoints;
    const std::unique_ptr<JobServices> jobs = TRY(OpenJobs(options, *database, *objects, clock, exporter.get()));

    api::Keyring keyring;
    keyring.Add(root.access_key_id, root.secret);
    api::Authenticator authenticator(
        {.open = options.open, .default_account = options.account, .default_region = options.region}, keyring, clock);
    api::FrontDoor front_door(authenticator, DoorOptions(options, exporter.get()));
    AddSeries(front_door, hosting, *database, exporter.get());

    api::s3::S3Service s3({.store = objects.get(), .clock = &clock});
    front_door.Mount(api::ServiceId::kS3, s3);
    api::IamService iam;
    front_door.Mount(api::ServiceId::kIam, iam);

    api::sagemaker::DescribeHold describe_hold(options.describe_hold);
    api::sagemaker::OperationTable operations = SageMakerOperations(hosting, *jobs, *database, clock, describe_hold);
    api::sagemaker::SageMakerService sagemaker(std::move(operations));
    front_door.Mount(api::ServiceId::kSageMaker, sagemaker);
    const auto runtime = api::runtime::RuntimeService::Create(hosting, options.invocation);
    front_door.Mount(api::ServiceId::kRuntime, *runtime);

    api::scaling::ScalingService scaling(*hosted->autoscaler);
    front_door.Mount(api::ServiceId::kScaling, scaling);
    api::console::ConsoleService console(hosting, hosted->metrics, clock);
    front_door.Mount(api::ServiceId::kConsole, console);

    api::logs::LogsService logs(*database, clock);
    front_door.Mount(api::ServiceId::kLogs, logs);
    monitor::LogSweeper log_sweeper(*database, clock);
    api::metrics::MetricsOperations metric_operations;
    api::metrics::AddMetricOperations(metric_operations, hosted->metrics, clock, [&] { hosting.BookTraffic(); });
    api::metrics::AddAlarmOperations(metric_operations, hosted->alarms);
    api::metrics::MetricsService metrics(std::move(metric_operations));
    front_door.Mount(api::ServiceId::kMetrics, metrics);
    front_door.Mount(api::ServiceId::kMetricsQuery, metrics);

    return RunUntilSignal(std::move(options), address, front_door, describe_hold);
}

std::string CheckAccount(const std::string& text) {
    bool digits = text.find_first_not_of("0123456789") == std::string::npos;
    return digits && text.size() == 12 ? "" : "an account is 12 digits";
}

struct Flags {
    ServeOptions values;
    std::string config;
};

int Run(const Flags& flags, const CLI::App& command) {
    ServeOptions options;
    Result<void> result;
    if (!flags.config.empty()) result = ReadConfigFile(flags.config, options);
    if (command.count("--listen") > 0) options.listen = flags.values.listen;
    if (command.count("--data") > 0) options.data_folder = flags.values.data_folder;
    if (command.count("--open") > 0) options.open = true;
    if (command.count("--account") > 0) options.account = flags.values.account;
    if (command.count("--region") > 0) options.region = flags.values.region;
    if (result && !CheckAccount(options.account).empty()) {
        result = Error(ErrorCode::kInvalidArgument, "account: " + CheckAccount(options.account));
    }
    if (result) result = Serve(std::move(options));
    if (result) return 0;
    std::fprintf(stderr, "espalier serve: %s\n", result.error().ToString().c_str());
    return 1;
}

}  // namespace

void AddServe(CLI::App& app, int& exit_code) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command =
        app.add_subcommand("serve", "Serve S3, SageMaker, SageMaker Runtime, STS, IAM, Logs and Metrics");
    command->add_option("--listen", flags->values.listen, "IP address and port; port 0 takes any free one")
        ->capture_default_str();
    command->add_option("--data", flags->values.data_folder,
                        "Directory for everything that is kept; default $ESPALIER_DATA or ~/.local/share/espalier");
    command->add_option("--config", flags->config, "TOML file, see docs/configuration.md; flags win over it");
    command->add_flag("--open", flags->values.open, "Check no signatures; on a loopback address only");
    command->add_option("--account", flags->values.account, "Account id in ARNs, 12 digits")
        ->check(CheckAccount)
        ->capture_default_str();
    command->add_option("--region", flags->values.region, "Region of requests that name none")->capture_default_str();
    command->footer(
        "Prints one line on standard output when it accepts requests; logs go to standard error. SIGTERM or Ctrl-C "
        "ends\n"
        "it after the requests in flight. The first start makes a key pair in DATA/root_key.json (readable by you "
        "only);\n"
        "ESPALIER_ROOT_ACCESS_KEY_ID and ESPALIER_ROOT_SECRET_ACCESS_KEY replace it. No TLS yet: use a loopback "
        "address,\n"
        "or a proxy that ends TLS.\n"
        "\n"
        "Example:\n"
        "  espalier serve --data ~/espalier\n"
        "  # Espalier is ready at http://127.0.0.1:8642\n"
        "  eval \"$(espalier env --data ~/espalier)\"     # in another shell\n"
        "  aws s3 mb s3://my-bucket                     # or boto3.client('s3').create_bucket(Bucket='my-bucket')");
    command->callback([flags, command, &exit_code] { exit_code = Run(*flags, *command); });
}

}  // namespace espalier::cmd
