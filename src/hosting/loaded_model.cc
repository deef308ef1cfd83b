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
    const ArchiveMember* file = TRY(model::FindModelMember(members));
    auto in_member = [&](Error error) {
        return std::move(error).Wrap(fmt::format("its member \"{}\" cannot be read as a model", file->name));
    };
    Result<model::TreeEnsemble> ensemble = model::ReadModel(file->bytes);
    if (!ensemble) return in_member(std::move(ensemble).error());
    Result<std::shared_ptr<const model::Predictor>> predictor = model::Predictor::Create(std::move(*ensemble));
    if (!predictor) return in_member(std::move(predictor).error());
    return std::make_shared<const LoadedModel>(LoadedModel{.predictor = std::move(*predictor), .member = file->name});
}

}  // namespace espalier::hosting
