// An object or a part on its way in: streams to a file in staging/ and takes every digest in the same pass.
//
// Nouns: DigestSet (what to compute), BodyDigests (what came out), BlockChecksums (one CRC-32C per MiB, the guard
// against bit rot), ObjectWriter.
// Confined to the thread that made it. Destroying a writer that was not committed removes its file.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "store/object_info.h"

namespace espalier::store {

/// Digests to take besides MD5, which every write needs for its ETag.
struct DigestSet {
    bool sha1 = false;
    bool sha256 = false;
    bool crc32 = false;
    bool crc32c = false;
    bool crc64nvme = false;

    void Add(ChecksumAlgorithm algorithm);
};

struct BodyDigests {
    std::uint64_t size_bytes = 0;
    std::array<unsigned char, 16> md5{};
    /// Raw big-endian bytes; empty when not asked for.
    std::string sha1;
    std::string sha256;
    std::string crc32;
    std::string crc32c;
    std::string crc64nvme;

    /// The raw bytes of that algorithm, empty when it was not asked for.
    const std::string& Of(ChecksumAlgorithm algorithm) const;
};

/// CRC-32C of each MiB of a blob. A blob assembled from parts is a row of segments, one per part, each with its own
/// blocks (the last of a segment may be short), so assembling needs no second reading.
class BlockChecksums {
  public:
    static constexpr std::uint64_t kBlockBytes = 1 << 20;
    struct Segment {
        std::uint64_t size_bytes = 0;
        std::vector<std::uint32_t> blocks;  ///< ceil(size_bytes / kBlockBytes) of them
    };

    void AppendSegment(Segment segment) { segments_.push_back(std::move(segment)); }
    void Append(const BlockChecksums& other);
    const std::vector<Segment>& segments() const { return segments_; }
    std::uint64_t size_bytes() const;

    /// "<size>:<8 hex digits per block>" per segment, joined by ';' (docs/formats.md).
    std::string Encode() const;
    /// kCorruptData when malformed.
    static Result<BlockChecksums> Decode(std::string_view text);

    /// Reads every block that touches [offset, offset + size_bytes) of `file`. kCorruptData on the first that differs.
    Result<void> Verify(Fs& fs, const Fd& file, std::uint64_t offset, std::uint64_t size_bytes) const;

  private:
    std::vector<Segment> segments_;
};

class ObjectWriter {
  public:
    /// A new staging file at `path`. Used by ObjectStore only; others call ObjectStore::BeginWrite.
    static Result<std::unique_ptr<ObjectWriter>> Create(Fs& fs, std::string path, DigestSet digests);
    ~ObjectWriter();
    ObjectWriter(const ObjectWriter&) = delete;
    ObjectWriter& operator=(const ObjectWriter&) = delete;

    /// Any number of bytes, any number of times. After an error the writer can only be destroyed.
    Result<void> Append(std::string_view bytes);
    std::uint64_t size_bytes() const;

    /// Ends the digests. The bytes are not synced yet: the caller may still refuse them. Append must not follow.
    Result<BodyDigests> Finish();

  private:
    friend class ObjectStore;
    struct State;
    explicit ObjectWriter(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace espalier::store
