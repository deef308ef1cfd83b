#include "api/sagemaker/search_operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "api/sagemaker/hosting_operations.h"
#include "api/sagemaker/list_request.h"
#include "api/sagemaker/search_expression.h"
#include "api/sagemaker/training_job_operations.h"
#include "api/sagemaker/tuning_job_operations.h"
#include "base/check.h"
#include "meta/tags.h"

namespace espalier::api::sagemaker {
namespace {

using nlohmann::json;

constexpr std::size_t kRowsPerList = 100;
constexpr std::size_t kDefaultResults = 100;

/// A kind of resource: where its rows come from, and what the result record calls it.
struct Kind {
    const char* resource;  ///< Search's own word
    const char* list_operation;
    const char* rows_member;
    const char* row_member;          ///< of a row, what Describe is given
    const char* describe_operation;  ///< nullptr for jobs, whose Describe may be held
    const char* describe_member;
    const char* arn_member;
    std::initializer_list<const char*> left_out;  ///< members of Describe that the record does not have
};

const Kind kKinds[] = {
    {"TrainingJob",
     "ListTrainingJobs",
     "TrainingJobSummaries",
     "TrainingJobName",
     nullptr,
     "TrainingJobName",
     "TrainingJobArn",
     {"ProfilerRuleConfigurations", "ProfilingStatus", "RemoteDebugConfig", "InfraCheckConfig", "ServerlessJobConfig",
      "MlflowConfig"}},
    {"HyperParameterTuningJob",
     "ListHyperParameterTuningJobs",
     "HyperParameterTuningJobSummaries",
     "HyperParameterTuningJobName",
     nullptr,
     "HyperParameterTuningJobName",
     "HyperParameterTuningJobArn",
     {"Autotune"}},
    {"Model", "ListModels", "Models", "ModelName", "DescribeModel", "ModelName", "ModelArn", {}},
    {"Endpoint",
     "ListEndpoints",
     "Endpoints",
     "EndpointName",
     "DescribeEndpoint",
     "EndpointName",
     "EndpointArn",
     {"AsyncInferenceConfig", "ExplainerConfig", "LastDeploymentConfig", "MetricsConfig", "PendingDeploymentSummary",
      "CrossRegionTrafficConfig"}},
    {"ModelPackage",
     "ListModelPackages",
     "ModelPackageSummaryList",
     "ModelPackageArn",
     "DescribeModelPackage",
     "ModelPackageName",
     "ModelPackageArn",
     {"ManagedStorageType"}},
    {"ModelPackageGroup",
     "ListModelPackageGroups",
     "ModelPackageGroupSummaryList",
     "ModelPackageGroupName",
     "DescribeModelPackageGroup",
     "ModelPackageGroupName",
     "ModelPackageGroupArn",
     {"ManagedConfiguration"}},
    {"ModelCard",
     "ListModelCards",
     "ModelCardSummaries",
     "ModelCardName",
     "DescribeModelCard",
     "ModelCardName",
     "ModelCardArn",
     {"ModelCardProcessingStatus"}},
};

/// The answer of a handler that does not wait, as a document.
Result<json> AnswerOf(const DeferredHandler& handler, const json& request, const RequestContext& context) {
    std::optional<Outcome> outcome;
    handler(request, context, [&outcome](Outcome given) { outcome = std::move(given); });
    CHECK(outcome.has_value(), "a handler that Search uses has not answered at once");
    if (outcome->error() != nullptr) return Error(ErrorCode::kInvalidArgument, outcome->error()->message);
    return json::parse(outcome->body());
}

class Searcher {
  public:
    Searcher(const OperationTable& table, jobs::JobService& training, jobs::TuningService& tuning,
             meta::Database& database)
        : training_(training), tuning_(tuning), database_(database) {
        for (const Kind& kind : kKinds) {
            for (const char* operation : {kind.list_operation, kind.describe_operation}) {
                if (operation == nullptr) continue;
                const DeferredHandler* handler = table.Find(operation);
                CHECK(handler != nullptr, "operation {} is added after Search", operation);
                handlers_[operation] = *handler;
            }
        }
    }

    Outcome Search(const json& request, const RequestContext& context) const;
    Outcome Suggest(const json& request, const RequestContext& context) const;

  private:
    struct Page {
        std::vector<json> names;  ///< what Describe is given
        std::string next;         ///< "" at the end
    };
    Result<Page> List(const Kind& kind, const RequestContext& context, const std::string& token,
                      std::size_t rows) const;
    Result<json> Describe(const Kind& kind, const RequestContext& context, const json& name) const;
    /// nullopt when it has gone since it was listed.
    Result<std::optional<json>> Document(const Kind& kind, const RequestContext& context, const json& name) const;
    /// Those of the newest resources.
    Result<std::set<std::string>> PropertyNames(const Kind& kind, const RequestContext& context) const;
    Result<json> InOrder(const Kind& kind, const json& request, const RequestContext& context,
                         const std::optional<ListPlace>& place) const;
    Result<json> Sorted(const Kind& kind, const json& request, const RequestContext& context,
                        const std::optional<ListPlace>& place) const;

    jobs::JobService& training_;
    jobs::TuningService& tuning_;
    meta::Database& database_;
    std::map<std::string, DeferredHandler> handlers_;
};

Result<Searcher::Page> Searcher::List(const Kind& kind, const RequestContext& context, const std::string& token,
                                      std::size_t rows) const {
    json request = {{"SortBy", "CreationTime"}, {"SortOrder", "Descending"}, {"MaxResults", rows}};
    if (kind.list_operation == std::string_view("ListModelPackages")) request["ModelPackageType"] = "Both";
    if (!token.empty()) request["NextToken"] = token;
    const json answer = TRY(AnswerOf(handlers_.at(kind.list_operation), request, context));
    Page page = {.names = {}, .next = answer.value("NextToken", "")};
    for (const json& row : answer[kind.rows_member]) page.names.push_back(row[kind.row_member]);
    return page;
}

Result<json> Searcher::Describe(const Kind& kind, const RequestContext& context, const json& name) const {
    if (kind.describe_operation != nullptr)
        return AnswerOf(handlers_.at(kind.describe_operation), {{kind.describe_member, name}}, context);
    if (kind.resource == std::string_view("TrainingJob")) {
        const meta::TrainingJob job = TRY(training_.Find(context.scope, name.get<std::string>()));
        return DescribeTrainingJobDocument(job, TRY(training_.FinalMetrics(job.id)));
    }
    return DescribeTuningJobDocument(tuning_, TRY(tuning_.Find(context.scope, name.get<std::string>())));
}

Result<std::optional<json>> Searcher::Document(const Kind& kind, const RequestContext& context,
                                               const json& name) const {
    Result<json> described = Describe(kind, context, name);
    if (!described) {
        const ErrorCode code = described.error().code();
        if (code == ErrorCode::kNotFound || code == ErrorCode::kInvalidArgument) return std::optional<json>();
        return std::move(described).error();
    }
    for (const char* member : kind.left_out) described->erase(member);
    json tags = json::array();
    for (const meta::Tag& tag : TRY(meta::Tags(database_).List((*described)[kind.arn_member].get<std::string>())))
        tags.push_back({{"Key", tag.key}, {"Value", tag.value}});
    (*described)["Tags"] = std::move(tags);
    return std::optional(*std::move(described));
}

/// The record of a model is what a dashboard shows: the model, with room for what stands around it.
json RecordOf(const Kind& kind, json document) {
    if (kind.resource == std::string_view("Model")) return {{"Model", {{"Model", std::move(document)}}}};
    return {{kind.resource, std::move(document)}};
}

Result<json> Searcher::InOrder(const Kind& kind, const json& request, const RequestContext& context,
                               const std::optional<ListPlace>& place) const {
    const std::size_t limit = request.value("MaxResults", kDefaultResults);
    const json expression = request.value("SearchExpression", json::object());
    json answer = {{"Results", json::array()}};
    std::string token = place ? place->row : "";
    std::size_t looked_at = 0;
    while (true) {
        const Page page = TRY(List(kind, context, token, kRowsPerList));
        for (std::size_t i = 0; i < page.names.size(); ++i) {
            auto document = TRY(Document(kind, context, page.names[i]));
            ++looked_at;
            if (document && Satisfies(*document, expression))
                answer["Results"].push_back(RecordOf(kind, *std::move(document)));
            if (answer["Results"].size() < limit && looked_at < kSearchedMax) continue;
            // The token behind this very row.
            const std::string next = TRY(List(kind, context, token, i + 1)).next;
            if (!next.empty())
                answer["NextToken"] = MakeListToken("Search", context.scope, request, {.sort_value = "", .row = next});
            return answer;
        }
        if (page.next.empty()) return answer;
        token = page.next;
    }
}

Result<json> Searcher::Sorted(const Kind& kind, const json& request, const RequestContext& context,
                              const std::optional<ListPlace>& place) const {
    const std::string property = request["SortBy"].get<std::string>();
    const json expression = request.value("SearchExpression", json::object());
    std::vector<std::pair<json, json>> found;  // value and document
    std::string token;
    std::size_t looked_at = 0;
    do {
        const Page page = TRY(List(kind, context, token, kRowsPerList));
        looked_at += page.names.size();
        if (looked_at > kSortedMax)
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("There are more than {} resources, too many to sort by {}. Leave SortBy out.",
                                     kSortedMax, property));
        for (const json& name : page.names) {
            auto document = TRY(Document(kind, context, name));
            if (!document || !Satisfies(*document, expression)) continue;
            const std::vector<json> values = ValuesOf(*document, property);
            found.emplace_back(values.empty() ? json() : values.front(), *std::move(document));
        }
        token = page.next;
    } while (!token.empty());
    const bool descending = request.value("SortOrder", "Descending") == "Descending";
    std::stable_sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
        // Resources without the property come last in either order.
        if (a.first.is_null() != b.first.is_null()) return b.first.is_null();
        return descending ? ComesBefore(b.first, a.first) : ComesBefore(a.first, b.first);
    });
    const std::size_t limit = request.value("MaxResults", kDefaultResults);
    const auto first =
        static_cast<std::size_t>(place ? std::max<std::int64_t>(0, NumberOf(place->row).value_or(0)) : 0);
    json answer = {{"Results", json::array()}};
    for (std::size_t i = first; i < std::min(found.size(), first + limit); ++i)
        answer["Results"].push_back(RecordOf(kind, std::move(found[i].second)));
    if (found.size() > first + limit)
        answer["NextToken"] =
            MakeListToken("Search", context.scope, request, {.sort_value = "", .row = std::to_string(first + limit)});
    return answer;
}

/// nullptr when nothing of what the request asks for is here.
const Kind* FindKind(const json& request) {
    const std::string resource = request["Resource"].get<std::string>();
    const auto kind =
        std::find_if(std::begin(kKinds), std::end(kKinds), [&](const Kind& each) { return each.resource == resource; });
    return kind == std::end(kKinds) ? nullptr : kind;
}

Outcome NoSuchKind(const json& request) {
    return Outcome::ValidationError(fmt::format("Search of {} is not supported: this server has no such resources.",
                                                request["Resource"].get<std::string>()));
}

Result<std::set<std::string>> Searcher::PropertyNames(const Kind& kind, const RequestContext& context) const {
    std::set<std::string> names;
    std::string token;
    for (std::size_t looked_at = 0; looked_at < kSuggestedMax; looked_at += kRowsPerList) {
        const Page page = TRY(List(kind, context, token, kRowsPerList));
        for (const json& name : page.names) {
            const auto document = TRY(Document(kind, context, name));
            if (document) CollectNames(*document, names);
        }
        token = page.next;
        if (token.empty()) break;
    }
    return names;
}

Outcome Searcher::Suggest(const json& request, const RequestContext& context) const {
    const Kind* kind = FindKind(request);
    if (kind == nullptr) return NoSuchKind(request);
    const json query = request.value("SuggestionQuery", json::object()).value("PropertyNameQuery", json::object());
    const std::string hint = query.value("PropertyNameHint", "");
    Result<std::set<std::string>> names = PropertyNames(*kind, context);
    if (!names) return FailWith(names.error(), "GetSearchSuggestions");
    json suggestions = json::array();
    for (auto name = names->lower_bound(hint); name != names->end() && name->starts_with(hint); ++name)
        suggestions.push_back({{"PropertyName", *name}});
    return Outcome::Ok({{"PropertyNameSuggestions", std::move(suggestions)}});
}

Outcome Searcher::Search(const json& request, const RequestContext& context) const {
    const Kind* kind = FindKind(request);
    if (kind == nullptr) return NoSuchKind(request);
    if (request.value("CrossAccountFilterOption", "SameAccount") != "SameAccount")
        return Outcome::ValidationError(
            "CrossAccountFilterOption CrossAccount is not supported: resources are not "
            "shared between accounts.");
    if (request.contains("VisibilityConditions"))
        return Outcome::ValidationError("VisibilityConditions are not supported.");
    const json expression = request.value("SearchExpression", json::object());
    if (Result<void> checked = CheckExpression(expression); !checked) return FailWith(checked.error(), "Search");
    auto place = ReadNextToken("Search", context.scope, request);
    if (const WireError* error = std::get_if<WireError>(&place)) return Outcome::Fail(*error);
    const auto& behind = std::get<std::optional<ListPlace>>(place);
    // Rows come newest first by themselves.
    const bool in_order = !request.contains("SortBy") || (request["SortBy"] == "CreationTime" &&
                                                          request.value("SortOrder", "Descending") == "Descending");
    Result<json> answer = in_order ? InOrder(*kind, request, context, behind) : Sorted(*kind, request, context, behind);
    return answer ? Outcome::Ok(*answer) : FailWith(answer.error(), "Search");
}

}  // namespace

void AddSearchOperations(OperationTable& table, jobs::JobService& training, jobs::TuningService& tuning,
                         meta::Database& database) {
    const auto searcher = std::make_shared<const Searcher>(table, training, tuning, database);
    table.Add("Search", [searcher](const json& request, const RequestContext& context) {
        return searcher->Search(request, context);
    });
    table.Add("GetSearchSuggestions", [searcher](const json& request, const RequestContext& context) {
        return searcher->Suggest(request, context);
    });
}

}  // namespace espalier::api::sagemaker
