// Inside of ObjectWriter, shared with ObjectStore, which takes finished writers apart. Not for other modules.
#pragma once

#include <optional>
#include <string>

#include "base/crc.h"
#include "base/digest.h"
#include "base/encoding.h"
#include "base/fs.h"
#include "base/worker_team.h"
#include "store/object_writer.h"

namespace espalier::store {

/// Takes several digests in one pass. Confined to one thread.
class DigestTaker {
  public:
    explicit DigestTaker(DigestSet digests);
    void Update(std::string_view bytes);
    /// The two halves of Update, for two threads at once: MD5 costs as much as all others together.
    void UpdateMd5(std::string_view bytes);
    void UpdateOthers(std::string_view bytes);
    BodyDigests Finish();

  private:
    std::uint64_t size_bytes_ = 0;
    Md5 md5_;
    std::optional<Sha1> sha1_;
    std::optional<Sha256> sha256_;
    std::optional<Crc32> crc32_;
    std::optional<Crc32c> crc32c_;
    std::optional<Crc64Nvme> crc64nvme_;
};

struct ObjectWriter::State {
    State(Fs& file_system, std::string staging_path, Fd staging_file, DigestSet wanted)
        : fs(file_system), path(std::move(staging_path)), file(std::move(staging_file)), digests(wanted) {}

    void EndBlock() {
        segment.blocks.push_back(block.value());
        block = Crc32c();
        block_bytes = 0;
    }

    /// Everything but MD5: the other digests, the block checksums, the file.
    Result<void> Take(std::string_view bytes);
    /// A second thread pays from some size on.
    bool WantsHelp(std::string_view bytes);

    Fs& fs;
    std::string path;
    Fd file;
    bool staging_exists = true;  ///< false once the file was renamed away
    bool is_finished = false;
    DigestTaker digests;
    BodyDigests finished;
    BlockChecksums::Segment segment;  ///< so far
    Crc32c block;                     ///< of the block that is not full yet
    std::uint64_t block_bytes = 0;
    std::uint64_t written_back = 0;
    std::optional<WorkerTeam> team;  ///< of two, once the body is large
};

}  // namespace espalier::store
