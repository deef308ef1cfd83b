#include "hosting/archive_shelf.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <span>

#include "base/digest.h"
#include "base/encoding.h"
#include "base/log.h"

namespace espalier::hosting {
namespace {

constexpr std::string_view kSuffix = ".tar.gz";
constexpr std::string_view kIncomingPrefix = "incoming-";

/// A file's bytes, mapped. The files here are blobs: nobody writes to them.
class MappedFile {
  public:
    static Result<MappedFile> Open(Fs& fs, const std::string& path) {
        Fd file = TRY(fs.OpenForReading(path));
        const std::uint64_t size = TRY(fs.SizeOf(file));
        if (size == 0) return MappedFile(nullptr, 0);
        void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
        if (data == MAP_FAILED) return ErrnoError("map " + path, errno);
        return MappedFile(static_cast<const char*>(data), size);
    }
    MappedFile(MappedFile&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    MappedFile& operator=(MappedFile&&) = delete;
    ~MappedFile() {
        if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
    }
    std::span<const char> bytes() const { return {data_, size_}; }

  private:
    MappedFile(const char* data, std::size_t size) : data_(data), size_(size) {}
    const char* data_;
    std::size_t size_;
};

Result<std::pair<store::BucketName, store::ObjectKey>> NamesOf(const store::S3Location& location) {
    store::BucketName bucket = TRY(store::BucketName::Parse(location.bucket));
    store::ObjectKey key = TRY(store::ObjectKey::Parse(location.key));
    return std::pair(std::move(bucket), std::move(key));
}

}  // namespace

Error NoModelData(const store::S3Location& location) {
    return {ErrorCode::kNotFound, fmt::format("Could not find model data at {}.", location.ToUri())};
}

Result<std::unique_ptr<ArchiveShelf>> ArchiveShelf::Open(const Options& options) {
    TRY(options.fs->MakeFolder(options.folder));
    std::unique_ptr<ArchiveShelf> shelf(new ArchiveShelf(options));
    const std::vector<std::string> names = TRY(options.fs->List(options.folder));
    for (const std::string& name : names)
        if (name.starts_with(kIncomingPrefix)) TRY(options.fs->Remove(options.folder + "/" + name));
    return shelf;
}

std::string ArchiveShelf::PathOf(const std::string& archive_id) const {
    return fmt::format("{}/{}{}", options_.folder, archive_id, kSuffix);
}

Result<ArchiveShelf::Loaded> ArchiveShelf::LoadObject(const store::S3Location& location) {
    return Take(location, true);
}

Result<ArchiveShelf::Loaded> ArchiveShelf::LoadUnshelved(const store::S3Location& location) {
    return Take(location, false);
}

Result<ArchiveShelf::Loaded> ArchiveShelf::Take(const store::S3Location& location, bool keep) {
    auto names = NamesOf(location);
    if (!names) return NoModelData(location);
    const auto begin = std::chrono::steady_clock::now();
    const std::string incoming = fmt::format("{}/{}{}", options_.folder, kIncomingPrefix, next_incoming_.fetch_add(1));
    Result<store::ObjectInfo> linked = options_.objects->LinkInto(names->first, names->second, incoming);
    if (!linked && linked.error().code() == ErrorCode::kNotFound) return NoModelData(location);
    if (!linked) return std::move(linked).error();

    auto load = [&]() -> Result<Loaded> {
        const std::string archive_id = TRY(HashFile(incoming));
        const auto fetched = std::chrono::steady_clock::now();
        auto model = LoadFile(incoming, archive_id);
        if (!model)
            return std::move(model).error().Wrap(fmt::format("The model archive {} cannot be used", location.ToUri()));
        if (keep) {
            TRY(options_.fs->Rename(incoming, PathOf(archive_id)));
            TRY(options_.fs->SyncFolder(options_.folder));
        }
        using std::chrono::duration_cast;
        using std::chrono::microseconds;
        return Loaded{.archive_id = archive_id,
                      .model = std::move(*model),
                      .fetching = duration_cast<microseconds>(fetched - begin),
                      .loading = duration_cast<microseconds>(std::chrono::steady_clock::now() - fetched)};
    };
    Result<Loaded> loaded = load();
    // rename() of two names of one file does nothing and leaves both, so the incoming name is removed in any case.
    if (Result<void> removed = options_.fs->Remove(incoming);
        !removed && removed.error().code() != ErrorCode::kNotFound)
        LOG_WARN("an incoming model archive cannot be removed", {"error", removed.error().ToString()});
    return loaded;
}

Result<ArchiveShelf::Loaded> ArchiveShelf::LoadShelved(const std::string& archive_id) {
    const std::string path = PathOf(archive_id);
    const std::string found_id = TRY(HashFile(path));
    if (found_id != archive_id)
        return Error(
            ErrorCode::kCorruptData,
            fmt::format("the endpoint's copy of the model data is damaged: {} has the SHA-256 {}", path, found_id));
    std::shared_ptr<const LoadedModel> model = TRY(LoadFile(path, archive_id));
    return Loaded{.archive_id = archive_id, .model = std::move(model)};
}

Result<std::string> ArchiveShelf::HashFile(const std::string& path) const {
    const MappedFile file = TRY(MappedFile::Open(*options_.fs, path));
    return HexEncode(Sha256::Of({file.bytes().data(), file.bytes().size()}));
}

Result<std::shared_ptr<const LoadedModel>> ArchiveShelf::LoadFile(const std::string& path,
                                                                  const std::string& archive_id) {
    {
        std::lock_guard lock(mutex_);
        if (auto known = loaded_.find(archive_id); known != loaded_.end())
            if (std::shared_ptr<const LoadedModel> model = known->second.lock()) return model;
    }
    // Two threads may load the same archive at once; the second result replaces the first in the table.
    const MappedFile file = TRY(MappedFile::Open(*options_.fs, path));
    std::shared_ptr<const LoadedModel> model = TRY(LoadModel(file.bytes()));
    std::lock_guard lock(mutex_);
    std::erase_if(loaded_, [](const auto& entry) { return entry.second.expired(); });
    loaded_[archive_id] = model;
    // CreateModel checks what CreateEndpoint soon serves: keep the newest one.
    last_loaded_ = model;
    return model;
}

ArchiveShelf::HoldToken ArchiveShelf::Hold() {
    std::lock_guard lock(mutex_);
    ++num_holds_;
    return {nullptr, [this](void*) {
                std::lock_guard unlock(mutex_);
                --num_holds_;
            }};
}

void ArchiveShelf::Sweep(const std::function<std::optional<std::set<std::string>>()>& used) {
    std::lock_guard lock(mutex_);
    if (num_holds_ > 0) return;
    const std::optional<std::set<std::string>> kept = used();
    if (!kept) return;
    Result<std::vector<std::string>> names = options_.fs->List(options_.folder);
    if (!names) return LOG_WARN("model archives cannot be listed", {"error", names.error().ToString()});
    for (const std::string& name : *names) {
        if (!name.ends_with(kSuffix) || kept->contains(name.substr(0, name.size() - kSuffix.size()))) continue;
        if (Result<void> removed = options_.fs->Remove(options_.folder + "/" + name); !removed)
            LOG_WARN("an unused model archive cannot be removed", {"error", removed.error().ToString()});
    }
}

}  // namespace espalier::hosting
