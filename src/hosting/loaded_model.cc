#include "hosting/loaded_model.h"

#include <fmt/format.h>

#include <vector>

#include "model/model_file.h"
#include "model/open_model.h"

namespace espalier::hosting {
namespace {

// A model is unpacked into memory to be read; the largest forests in use are a few hundred megabytes.
constexpr ArchiveLimits kModelArchiveLimits = {.total_bytes_max = std::uint64_t{1} << 30};

}  // namespace

Result<std::shared_ptr<const LoadedModel>> LoadModel(std::span<const char> archive) {
    const std::vector<ArchiveMember> members = TRY(ReadTarGz(archive, kModelArchiveLimits));
    LoadedModel loaded;
    for (const ArchiveMember* file : TRY(model::FindModelMembers(members))) {
        const std::string context = fmt::format("its member \"{}\" cannot be read as a model", file->name);
        model::TreeEnsemble ensemble = TRY_MSG(model::ReadModel(file->bytes), context);
        if (loaded.predictors.empty()) {
            loaded.pickled = TRY(model::DetectModelFormat(file->bytes)) == model::ModelFormat::kPickle;
        } else if (const model::TreeEnsemble& first = loaded.predictors[0]->ensemble();
                   first.objective != ensemble.objective || first.num_groups() != ensemble.num_groups()) {
            return Error(ErrorCode::kCorruptData,
                         fmt::format("its models do not belong together: \"{}\" is for {} and the first for {}",
                                     file->name, ensemble.objective, first.objective));
        }
        loaded.predictors.push_back(TRY_MSG(model::Predictor::Create(std::move(ensemble)), context));
        loaded.memory_bytes += loaded.predictors.back()->memory_bytes();
    }
    return std::make_shared<const LoadedModel>(std::move(loaded));
}

}  // namespace espalier::hosting
