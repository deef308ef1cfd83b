// The control plane of hosting: models, endpoint configurations, endpoints, tags, and DescribeNotebookInstance.
//
// Each function adds the rows of one group of operations to the table; the services are borrowed. What a request may
// ask for and what is done with it is one table per operation, in feature_policy.cc, from which docs/coverage.md
// quotes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "api/json_protocol.h"
#include "api/sagemaker/operations.h"
#include "base/result.h"
#include "hosting/endpoint_service.h"
#include "meta/database.h"
#include "meta/resources.h"
#include "meta/tags.h"

namespace espalier::api::sagemaker {

void AddModelOperations(OperationTable& table, hosting::EndpointService& hosting);
void AddEndpointConfigOperations(OperationTable& table, hosting::EndpointService& hosting);
void AddEndpointOperations(OperationTable& table, hosting::EndpointService& hosting);
/// AddTags, ListTags, DeleteTags for models, endpoint configurations, endpoints, training jobs, notebook instances.
void AddTagOperations(OperationTable& table, meta::Database& database);
/// DescribeNotebookInstance for any name: SDK 1 asks it for the role (contracts/api.md 2.9). `role_name` is the role of
/// the caller identity that STS tells.
void AddNotebookOperations(OperationTable& table, std::string role_name, const Clock& clock);

/// The handler of an operation of `service`, which is borrowed.
template <typename Service>
SyncHandler Bind(Service& service, Outcome (*operation)(Service&, const nlohmann::json&, const RequestContext&)) {
    return [&service, operation](const nlohmann::json& request, const RequestContext& context) {
        return operation(service, request, context);
    };
}

std::string ArnOf(meta::ResourceKind kind, const meta::Scope& scope, const std::string& name);

/// An error of hosting as the wire has it: what the user can mend is a ValidationException with the error's sentence,
/// everything else an internal failure.
Outcome FailWith(const Error& error, std::string_view operation);

/// The request's Tags member, empty when absent. A WireError for keys AWS reserves.
std::variant<std::vector<meta::Tag>, WireError> TagsOf(const nlohmann::json& request);

/// The lists of meta::Resources, which differ in their names and in what a summary holds.
struct ListShape {
    const char* operation;
    const char* rows_member;
    /// MaxResults when the request has none.
    std::size_t default_max_results;
    const char* default_order = "Descending";
};
Outcome ListResources(const ListShape& shape, const nlohmann::json& request, const RequestContext& context,
                      const std::function<Result<meta::ResourcePage>(const meta::ListQuery&)>& list,
                      const std::function<nlohmann::json(const meta::ResourceRecord&)>& summary);

/// A kind of resource that the catalog keeps, as the wire has it; what holds for every such kind.
struct CatalogKind {
    meta::ResourceKind kind;
    const char* name_member;
    const char* arn_member;
    const char* delete_operation;
    ListShape list;
};
Outcome DeleteFromCatalog(hosting::EndpointService& hosting, const CatalogKind& kind, const nlohmann::json& request,
                          const RequestContext& context);
Outcome ListCatalog(hosting::EndpointService& hosting, const CatalogKind& kind, const nlohmann::json& request,
                    const RequestContext& context);

}  // namespace espalier::api::sagemaker
