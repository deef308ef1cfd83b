#include "store/object_writer.h"

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "base/crc.h"
#include "base/digest.h"
#include "base/log.h"
#include "store/object_writer_state.h"

namespace espalier::store {
namespace {

// Dirty pages are handed to the disk in steps of this size while more bytes come in, so that the last fsync is short.
constexpr std::uint64_t kWritebackBytes = 8 << 20;

// From here on MD5 has a thread of its own: handing a block over costs some microseconds, MD5 of it hundreds.
constexpr std::size_t kHelpedBlockBytesMin = 64 << 10;
constexpr std::uint64_t kHelpedBodyBytesMin = 1 << 20;

// Bodies leave this much of the disk free, or a tenth of a small disk, so that rows can still be written: deletes,
// which make room again, and the ends of jobs. Each of up to 64 uploads at once may overrun it by the block it is
// writing.
constexpr std::uint64_t kReserveBytesMax = 64 << 20;
constexpr std::uint64_t kReserveShare = 10;

Result<void> CheckRoom(Fs& fs, const Fd& file, const std::string& path) {
    const DiskSpace space = TRY(fs.SpaceAround(file));
    if (space.free_bytes >= std::min(kReserveBytesMax, space.total_bytes / kReserveShare)) return {};
    return ErrnoError("write " + path + " (the last of the disk is kept for deletes)", ENOSPC);
}

}  // namespace

void DigestSet::Add(ChecksumAlgorithm algorithm) {
    sha1 |= algorithm == ChecksumAlgorithm::kSha1;
    sha256 |= algorithm == ChecksumAlgorithm::kSha256;
    crc32 |= algorithm == ChecksumAlgorithm::kCrc32;
    crc32c |= algorithm == ChecksumAlgorithm::kCrc32c;
    crc64nvme |= algorithm == ChecksumAlgorithm::kCrc64nvme;
}

const std::string& BodyDigests::Of(ChecksumAlgorithm algorithm) const {
    static const std::string kNothing;
    switch (algorithm) {
        case ChecksumAlgorithm::kNone:
            return kNothing;
        case ChecksumAlgorithm::kCrc32:
            return crc32;
        case ChecksumAlgorithm::kCrc32c:
            return crc32c;
        case ChecksumAlgorithm::kCrc64nvme:
            return crc64nvme;
        case ChecksumAlgorithm::kSha1:
            return sha1;
        case ChecksumAlgorithm::kSha256:
            return sha256;
    }
    return kNothing;
}

DigestTaker::DigestTaker(DigestSet digests) {
    if (digests.sha1) sha1_.emplace();
    if (digests.sha256) sha256_.emplace();
    if (digests.crc32) crc32_.emplace();
    if (digests.crc32c) crc32c_.emplace();
    if (digests.crc64nvme) crc64nvme_.emplace();
}

void DigestTaker::Update(std::string_view bytes) {
    UpdateMd5(bytes);
    UpdateOthers(bytes);
}

void DigestTaker::UpdateMd5(std::string_view bytes) {
    md5_.Update(bytes);
}

void DigestTaker::UpdateOthers(std::string_view bytes) {
    size_bytes_ += bytes.size();
    if (sha1_) sha1_->Update(bytes);
    if (sha256_) sha256_->Update(bytes);
    if (crc32_) crc32_->Update(bytes);
    if (crc32c_) crc32c_->Update(bytes);
    if (crc64nvme_) crc64nvme_->Update(bytes);
}

BodyDigests DigestTaker::Finish() {
    BodyDigests digests;
    digests.size_bytes = size_bytes_;
    digests.md5 = md5_.Finish();
    if (sha1_) digests.sha1 = AsChars(sha1_->Finish());
    if (sha256_) digests.sha256 = AsChars(sha256_->Finish());
    if (crc32_) digests.crc32 = AsBigEndian(crc32_->value());
    if (crc32c_) digests.crc32c = AsBigEndian(crc32c_->value());
    if (crc64nvme_) digests.crc64nvme = AsBigEndian(crc64nvme_->value());
    return digests;
}

ObjectWriter::ObjectWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<ObjectWriter>> ObjectWriter::Create(Fs& fs, std::string path, DigestSet digests) {
    Fd file = TRY(fs.Create(path));
    auto state = std::make_unique<State>(fs, std::move(path), std::move(file), digests);
    std::unique_ptr<ObjectWriter> writer(new ObjectWriter(std::move(state)));
    TRY(CheckRoom(fs, writer->state_->file, writer->state_->path));
    return writer;
}

ObjectWriter::~ObjectWriter() {
    if (!state_->staging_exists) return;
    state_->file.Close();
    // What cannot be removed now is swept at the next start.
    if (Result<void> removed = state_->fs.Remove(state_->path); !removed) {
        LOG_WARN("staging file not removed", {"error", removed.error().ToString()});
    }
}

bool ObjectWriter::State::WantsHelp(std::string_view bytes) {
    if (bytes.size() < kHelpedBlockBytesMin || segment.size_bytes < kHelpedBodyBytesMin) return false;
    if (!team) team.emplace(2);
    return true;
}

Result<void> ObjectWriter::State::Take(std::string_view bytes) {
    const std::size_t num_blocks_before = segment.blocks.size();
    digests.UpdateOthers(bytes);
    // The same bytes once more for the blocks, while they are in the cache.
    std::string_view rest = bytes;
    while (!rest.empty()) {
        const std::uint64_t room = BlockChecksums::kBlockBytes - block_bytes;
        const std::string_view step = rest.substr(0, room);
        block.Update(step);
        block_bytes += step.size();
        rest.remove_prefix(step.size());
        if (block_bytes == BlockChecksums::kBlockBytes) EndBlock();
    }
    if (segment.blocks.size() > num_blocks_before) TRY(CheckRoom(fs, file, path));
    return fs.Append(file, bytes);
}

Result<void> ObjectWriter::Append(std::string_view bytes) {
    CHECK(!state_->is_finished);
    Result<void> taken;
    if (state_->WantsHelp(bytes)) {
        state_->team->ForEach(2, [&](std::size_t task, int) {
            if (task == 0) {
                state_->digests.UpdateMd5(bytes);
            } else {
                taken = state_->Take(bytes);
            }
        });
    } else {
        state_->digests.UpdateMd5(bytes);
        taken = state_->Take(bytes);
    }
    TRY(std::move(taken));
    state_->segment.size_bytes += bytes.size();
    if (state_->segment.size_bytes - state_->written_back >= kWritebackBytes) {
        state_->fs.StartWriteback(state_->file, state_->written_back,
                                  state_->segment.size_bytes - state_->written_back);
        state_->written_back = state_->segment.size_bytes;
    }
    return {};
}

std::uint64_t ObjectWriter::size_bytes() const {
    return state_->segment.size_bytes;
}

Result<BodyDigests> ObjectWriter::Finish() {
    CHECK(!state_->is_finished);
    state_->is_finished = true;
    if (state_->block_bytes > 0) state_->EndBlock();
    state_->finished = state_->digests.Finish();
    return state_->finished;
}

}  // namespace espalier::store
