#include "api/sagemaker/operations.h"

#include <nlohmann/json.hpp>

#include "base/check.h"

namespace espalier::api::sagemaker {

void OperationTable::Add(std::string name, SyncHandler handler) {
    AddDeferred(std::move(name),
                [handler = std::move(handler)](const nlohmann::json& request, const RequestContext& context,
                                               const Reply& reply) { reply(handler(request, context)); });
}

void OperationTable::AddDeferred(std::string name, DeferredHandler handler) {
    const bool added = rows_.emplace(name, std::move(handler)).second;
    CHECK(added, "operation {} added twice", name);
}

const DeferredHandler* OperationTable::Find(std::string_view name) const {
    const auto found = rows_.find(name);
    return found == rows_.end() ? nullptr : &found->second;
}

}  // namespace espalier::api::sagemaker
