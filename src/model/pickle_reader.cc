#include "model/pickle_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "model/document_cursor.h"
#include "model/document_reader.h"
#include "model/old_binary_reader.h"
#include "model/pickle_machine.h"

namespace espalier::model {
namespace {

using Kind = PickleValue::Kind;

Error Corrupt(std::string message) {
    return Error(ErrorCode::kCorruptData, std::move(message));
}

const PickleValue* Find(const std::vector<PickleValue>& dictionary, std::string_view key) {
    for (std::size_t i = 0; i + 1 < dictionary.size(); i += 2) {
        bool text = dictionary[i].kind == Kind::kText || dictionary[i].kind == Kind::kBytes;
        if (text && dictionary[i].view() == key) return &dictionary[i + 1];
    }
    return nullptr;
}

// The booster's own bytes: the old format alone, or with a configuration behind it (1.0 to 1.5), or a document.
Result<TreeEnsemble> ReadHandle(std::string_view handle) {
    constexpr std::string_view kWithConfig = "CONFIG-offset:";
    if (!handle.starts_with(kWithConfig)) {
        if (handle.starts_with('{')) {
            bool json = handle.size() > 1 && (handle[1] == '"' || handle[1] == ' ');
            return ReadDocument(json ? MakeJsonCursor(handle) : MakeUbjsonCursor(handle));
        }
        return ReadOldBinary(handle);
    }
    ByteCursor cursor(handle, "booster in the pickle");
    TRY(cursor.Take(kWithConfig.size()));
    auto size = TRY(cursor.Number<std::int64_t>());
    if (size < 0) return cursor.Fail("the length of the model is negative");
    return ReadOldBinary(TRY(cursor.Take(static_cast<std::uint64_t>(size))));
}

void TakeNames(const PickleMachine& machine, const PickleValue* list, std::vector<std::string>& names) {
    if (list == nullptr || list->kind != Kind::kList) return;
    names.clear();
    for (const PickleValue& name : machine.Items(*list)) {
        if (name.kind == Kind::kText) names.emplace_back(name.view());
    }
}

// The images predict with best_ntree_limit trees where a booster has it.
void KeepBestTrees(double best_ntree_limit, TreeEnsemble& ensemble) {
    double rounds = best_ntree_limit / ensemble.num_parallel_tree;
    if (!(rounds >= 1) || rounds >= static_cast<double>(ensemble.num_rounds())) return;
    ensemble.iteration_indptr.resize(static_cast<std::size_t>(rounds) + 1);
    auto num_trees = static_cast<std::size_t>(ensemble.iteration_indptr.back());
    ensemble.trees.resize(num_trees);
    ensemble.tree_info.resize(num_trees);
    if (ensemble.booster == Booster::kDart) ensemble.weight_drop.resize(num_trees);
}

}  // namespace

bool LooksLikePickle(std::string_view bytes) {
    return bytes.starts_with('\x80') || bytes.starts_with("ccopy_reg\n") || bytes.starts_with("ccopyreg\n");
}

Result<TreeEnsemble> ReadPickle(std::string_view bytes) {
    PickleMachine machine(bytes);
    PickleValue object = TRY(machine.Run());
    if (object.kind != Kind::kObject) return Corrupt("the pickle holds no object, but should hold an xgboost Booster");
    const std::vector<PickleValue>& parts = machine.Items(object);
    if (parts[0].view() != "xgboost.core Booster" || parts[1].kind != Kind::kDictionary) {
        return Corrupt("the pickled object is no xgboost Booster");
    }
    const std::vector<PickleValue>& state = machine.Items(parts[1]);
    const PickleValue* handle = Find(state, "handle");
    if (handle == nullptr || handle->kind != Kind::kBytes) {
        return Corrupt("the pickled Booster has no model in it: its member 'handle' holds no bytes");
    }
    TreeEnsemble ensemble = TRY_MSG(ReadHandle(handle->view()), "the Booster inside the pickle");
    TakeNames(machine, Find(state, "feature_names"), ensemble.feature_names);
    TakeNames(machine, Find(state, "feature_types"), ensemble.feature_types);
    const PickleValue* limit = Find(state, "best_ntree_limit");
    if (limit != nullptr && limit->kind == Kind::kNumber) KeepBestTrees(limit->number, ensemble);
    return ensemble;
}

}  // namespace espalier::model
