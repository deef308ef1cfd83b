#include "api/iam/iam_service.h"

#include <fmt/format.h>

#include <optional>
#include <variant>
#include <vector>

#include "api/query_protocol.h"
#include "base/encoding.h"

namespace espalier::api {
namespace {

constexpr std::string_view kStsVersion = "2011-06-15";
constexpr std::string_view kIamVersion = "2010-05-08";
constexpr std::string_view kCloudWatchVersion = "2010-08-01";
constexpr std::string_view kStsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/";
constexpr std::string_view kIamNamespace = "https://iam.amazonaws.com/doc/2010-05-08/";
/// Whoever trains on SageMaker may assume any role here.
constexpr std::string_view kTrustPolicy =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},)"
    R"("Action":"sts:AssumeRole"}]})";

using Answer = std::variant<std::string, WireFault>;

Answer Invalid(std::string message) {
    return WireFault{400, "ValidationError", std::move(message)};
}

/// "Name.member.1", "Name.member.2", … as far as they go.
std::vector<std::string> Members(const QueryForm& form, std::string_view name) {
    std::vector<std::string> members;
    while (true) {
        auto found = form.find(fmt::format("{}.member.{}", name, members.size() + 1));
        if (found == form.end()) return members;
        members.push_back(found->second);
    }
}

/// AWS's rule for role names; also what keeps them harmless in an ARN.
bool IsRoleName(std::string_view name) {
    constexpr std::size_t kRoleNameBytesMax = 64;
    if (name.empty() || name.size() > kRoleNameBytesMax) return false;
    for (char c : name) {
        bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("+=,.@_-").find(c) != std::string_view::npos;
        if (!allowed) return false;
    }
    return true;
}

Answer GetCallerIdentity(const Principal& principal, std::string_view request_id) {
    return QueryEnvelope("GetCallerIdentity", kStsNamespace,
                         fmt::format("<Arn>{}</Arn><UserId>AROAESPALIERLOCALROLE:local</UserId><Account>{}</Account>",
                                     principal.arn(), principal.account_id),
                         request_id);
}

Answer GetRole(const QueryForm& form, const Principal& principal, std::string_view request_id) {
    std::string_view name = QueryParameter(form, "RoleName");
    if (!IsRoleName(name)) {
        return Invalid(
            "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or "
            "the following: +=,.@_-");
    }
    return QueryEnvelope(
        "GetRole", kIamNamespace,
        fmt::format("<Role><Path>/</Path><RoleName>{0}</RoleName><RoleId>AROAESPALIERLOCALROLE</RoleId>"
                    "<Arn>arn:aws:iam::{1}:role/{0}</Arn><CreateDate>2024-01-01T00:00:00Z</CreateDate>"
                    "<AssumeRolePolicyDocument>{2}</AssumeRolePolicyDocument>"
                    "<MaxSessionDuration>3600</MaxSessionDuration></Role>",
                    name, principal.account_id, PercentEncode(kTrustPolicy, Slash::kEncode)),
        request_id);
}

Answer SimulatePrincipalPolicy(const QueryForm& form, std::string_view request_id) {
    if (QueryParameter(form, "PolicySourceArn").empty()) return Invalid("PolicySourceArn must not be empty");
    std::vector<std::string> actions = Members(form, "ActionNames");
    if (actions.empty()) return Invalid("ActionNames must not be empty");
    std::vector<std::string> resources = Members(form, "ResourceArns");
    if (resources.empty()) resources.emplace_back("*");
    if (actions.size() * resources.size() > kSimulationsMax) {
        return Invalid(
            fmt::format("At most {} pairs of an action and a resource are evaluated at once", kSimulationsMax));
    }
    std::string results;
    for (const std::string& action : actions) {
        for (const std::string& resource : resources) {
            results += fmt::format(
                "<member><EvalActionName>{}</EvalActionName><EvalResourceName>{}</EvalResourceName>"
                "<EvalDecision>allowed</EvalDecision><MatchedStatements/><MissingContextValues/></member>",
                XmlEscape(action), XmlEscape(resource));
        }
    }
    return QueryEnvelope("SimulatePrincipalPolicy", kIamNamespace,
                         "<IsTruncated>false</IsTruncated><EvaluationResults>" + results + "</EvaluationResults>",
                         request_id);
}

Answer WrongScope(std::string_view expected) {
    return WireFault{403, "SignatureDoesNotMatch",
                     fmt::format("Credential should be scoped to correct service: '{}'.", expected)};
}

Answer Act(const QueryForm& form, const Principal& principal, std::string_view request_id) {
    std::string_view action = QueryParameter(form, "Action");
    std::string_view version = QueryParameter(form, "Version");
    if (action.empty()) return WireFault{400, "MissingAction", "The request must contain the parameter Action"};
    // "" is the scope of an unsigned request, which only open mode lets through.
    auto scoped_to = [&](std::string_view name) { return principal.service.empty() || principal.service == name; };
    if (version == kStsVersion) {
        if (!scoped_to("sts")) return WrongScope("sts");
        if (action == "GetCallerIdentity") return GetCallerIdentity(principal, request_id);
    } else if (version == kIamVersion) {
        if (!scoped_to("iam")) return WrongScope("iam");
        if (action == "GetRole") return GetRole(form, principal, request_id);
        if (action == "SimulatePrincipalPolicy") return SimulatePrincipalPolicy(form, request_id);
    } else if (version == kCloudWatchVersion) {
        return WireFault{400, "InvalidAction",
                         "A request of CloudWatch's query protocol must be signed for the service monitoring: its "
                         "signature tells it from those of STS and IAM."};
    }
    return WireFault{400, "InvalidAction", fmt::format("Could not find operation {} for version {}", action, version)};
}

}  // namespace

void IamService::Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) {
    const std::optional<QueryForm> form = ReadQueryForm(*exchange, kQueryParametersMax);
    Answer answer = form ? Act(*form, principal, request_id)
                         : Answer(WireFault{400, "MalformedQueryString", "The request's form cannot be read."});
    if (auto* fault = std::get_if<WireFault>(&answer)) {
        exchange->Send(ErrorAnswer(WireProtocol::kQuery, *fault, exchange->head().raw_path(), request_id));
        return;
    }
    exchange->Send(QueryAnswer(std::get<std::string>(std::move(answer))));
}

}  // namespace espalier::api
