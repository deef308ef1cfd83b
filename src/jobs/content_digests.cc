#include "jobs/content_digests.h"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <vector>

#include "base/digest.h"
#include "base/encoding.h"

namespace espalier::jobs {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;

Result<std::string> Sha256OfFile(const std::string& path, const std::function<bool()>& cancelled) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return ErrnoError("open " + path, errno);
    Sha256 sha;
    std::vector<char> piece(kPieceBytes);
    while (in) {
        if (cancelled()) return Error(ErrorCode::kCancelled, "the digest was cancelled");
        in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        sha.Update({piece.data(), static_cast<std::size_t>(in.gcount())});
    }
    if (in.bad()) return Error(ErrorCode::kIo, "cannot read " + path);
    return HexEncode(sha.Finish());
}

}  // namespace

Result<ContentDigest> ContentDigests::Of(const std::string& path, const std::function<bool()>& cancelled) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return ErrnoError("look at " + path, errno);
    const Identity identity = {status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                               status.st_mtim.tv_nsec};
    ContentDigest digest = {.size_bytes = static_cast<std::uint64_t>(status.st_size), .sha256 = ""};
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = known_.find(identity); found != known_.end()) digest.sha256 = found->second;
    }
    if (!digest.sha256.empty()) return digest;
    digest.sha256 = TRY(Sha256OfFile(path, cancelled));
    const std::lock_guard lock(mutex_);
    if (known_.size() >= kKnownMax) known_.clear();
    known_[identity] = digest.sha256;
    return digest;
}

}  // namespace espalier::jobs
