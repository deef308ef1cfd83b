#include "hosting/loaded_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "model/model_file.h"

namespace espalier::hosting {
namespace {

constexpr std::size_t kListedNamesMax = 5;
// A model is unpacked into memory to be read; the largest forests in use are a few hundred megabytes.
constexpr ArchiveLimits kModelArchiveLimits = {.total_bytes_max = std::uint64_t{1} << 30};

std::string ListNames(const std::vector<ArchiveMember>& members) {
    if (members.empty()) return "nothing";
    std::string names;
    for (std::size_t i = 0; i < std::min(members.size(), kListedNamesMax); ++i)
        names += (i > 0 ? ", " : "") + members[i].name;
    if (members.size() > kListedNamesMax) names += fmt::format(" and {} more", members.size() - kListedNamesMax);
    return names;
}

/// The member that is the model, or an error that says what the archive holds instead.
Result<const ArchiveMember*> FindModelFile(const std::vector<ArchiveMember>& members) {
    const ArchiveMember* only = nullptr;
    std::size_t candidates = 0;
    for (const ArchiveMember& member : members) {
        if (member.name == kModelFileName) return &member;
        if (member.name.find('/') != std::string::npos || member.name.starts_with('.')) continue;
        only = &member;
        ++candidates;
    }
    if (candidates == 1) return only;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("there is no model file in it: it should hold \"{}\" at its top level, and holds {}",
                             kModelFileName, ListNames(members)));
}

}  // namespace

Result<std::shared_ptr<const LoadedModel>> LoadModel(std::span<const char> archive) {
    const std::vector<ArchiveMember> members = TRY(ReadTarGz(archive, kModelArchiveLimits));
    const ArchiveMember* file = TRY(FindModelFile(members));
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
