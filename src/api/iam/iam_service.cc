#include "api/iam/iam_service.h"

#include <fmt/format.h>

#include <optional>
#include <variant>
#include <vector>

#include "api/auth/canonical.h"
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

std::optional<QueryForm> ReadForm(std::string_view text) {
    QueryForm form;
    for (const auto& [raw_name, raw_value] : SplitQuery(text)) {
        std::optional<std::string> name = FormDecode(raw_name);
        std::optional<std::string> value = FormDecode(raw_value);
        if (!name || !value || form.size() >= kQueryParametersMax) return std::nullopt;
        form.try_emplace(*std::move(name), *std::move(value));
    }
    return form;
}

std::string_view Get(const QueryForm& form, std::string_view name) {
    auto found = form.find(name);
    return found == form.end() ? std::string_view() : std::string_view(found->second);
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

std::string Envelope(std::string_view action, std::string_view xml_namespace, std::string_view result,
                     std::string_view request_id) {
    return fmt::format(
        "<{0}Response xmlns=\"{1}\"><{0}Result>{2}</{0}Result><ResponseMetadata><RequestId>{3}</RequestId>"
        "</ResponseMetadata></{0}Response>",
        action, xml_namespace, result, request_id);
}

Answer GetCallerIdentity(const Principal& principal, std::string_view request_id) {
    return Envelope("GetCallerIdentity", kStsNamespace,
                    fmt::format("<Arn>{}</Arn><UserId>AROAESPALIERLOCALROLE:local</UserId><Account>{}</Account>",
                                principal.arn, principal.account_id),
                    request_id);
}

Answer GetRole(const QueryForm& form, const Principal& principal, std::string_view request_id) {
    std::string_view name = Get(form, "RoleName");
    if (!IsRoleName(name)) {
        return Invalid(
            "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or "
            "the following: +=,.@_-");
    }
    return Envelope("GetRole", kIamNamespace,
                    fmt::format("<Role><Path>/</Path><RoleName>{0}</RoleName><RoleId>AROAESPALIERLOCALROLE</RoleId>"
                                "<Arn>arn:aws:iam::{1}:role/{0}</Arn><CreateDate>2024-01-01T00:00:00Z</CreateDate>"
                                "<AssumeRolePolicyDocument>{2}</AssumeRolePolicyDocument>"
                                "<MaxSessionDuration>3600</MaxSessionDuration></Role>",
                                name, principal.account_id, PercentEncode(kTrustPolicy, Slash::kEncode)),
                    request_id);
}

Answer SimulatePrincipalPolicy(const QueryForm& form, std::string_view request_id) {
    if (Get(form, "PolicySourceArn").empty()) return Invalid("PolicySourceArn must not be empty");
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
    return Envelope("SimulatePrincipalPolicy", kIamNamespace,
                    "<IsTruncated>false</IsTruncated><EvaluationResults>" + results + "</EvaluationResults>",
                    request_id);
}

Answer WrongScope(std::string_view expected) {
    return WireFault{403, "SignatureDoesNotMatch",
                     fmt::format("Credential should be scoped to correct service: '{}'.", expected)};
}

Answer Act(const QueryForm& form, const Principal& principal, std::string_view request_id) {
    std::string_view action = Get(form, "Action");
    std::string_view version = Get(form, "Version");
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
        return WireFault{
            400, "InvalidAction",
            "CloudWatch's query protocol is not supported here; use a client that speaks its JSON protocol."};
    }
    return WireFault{400, "InvalidAction", fmt::format("Could not find operation {} for version {}", action, version)};
}

}  // namespace

void IamService::Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) {
    const http::RequestHead& head = exchange->head();
    std::optional<QueryForm> form = ReadForm(head.method == "GET" ? head.raw_query() : exchange->body());
    Answer answer = form ? Act(*form, principal, request_id)
                         : Answer(WireFault{400, "MalformedQueryString", "The request's form cannot be read."});
    if (auto* fault = std::get_if<WireFault>(&answer)) {
        exchange->Send(ErrorAnswer(WireProtocol::kQuery, *fault, head.raw_path(), request_id));
        return;
    }
    http::Response response{.status = 200, .headers = {}, .body = std::get<std::string>(std::move(answer))};
    response.headers.Add("Content-Type", "text/xml");
    exchange->Send(std::move(response));
}

}  // namespace espalier::api
