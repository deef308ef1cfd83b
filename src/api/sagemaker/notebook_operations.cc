#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/sagemaker/hosting_operations.h"
#include "meta/arn.h"

namespace espalier::api::sagemaker {

void AddNotebookOperations(OperationTable& table, std::string role_name, const Clock& clock) {
    // The notebook is wherever the user runs it: every name is one, and it has been in service since this server
    // started.
    const double started = EpochSeconds(clock.WallMillis());
    table.Add("DescribeNotebookInstance", [role_name = std::move(role_name), started](const nlohmann::json& request,
                                                                                      const RequestContext& context) {
        const std::string name = request["NotebookInstanceName"].get<std::string>();
        return Outcome::Ok({{"NotebookInstanceName", name},
                            {"NotebookInstanceArn", meta::SageMakerArn(context.scope, "notebook-instance", name)},
                            {"NotebookInstanceStatus", "InService"},
                            {"RoleArn", fmt::format("arn:{}:iam::{}:role/{}", meta::PartitionOf(context.scope.region),
                                                    context.scope.account, role_name)},
                            {"CreationTime", started},
                            {"LastModifiedTime", started}});
    });
}

}  // namespace espalier::api::sagemaker
