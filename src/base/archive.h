// model.tar.gz: reading one that a stranger made, writing one of our own.
//
// Nouns: ArchiveLimits, ArchiveMember, ArchiveSource.
// Reading takes bytes, so that it can be fuzzed, and gives the regular files in it. The gzip layer is undone with zlib,
// which checks length and CRC (libarchive 3.6 does not), the tar layer with libarchive. Both are hidden in archive.cc.
// What a member may be: a regular file or a directory, with a relative name that has no ".." step. A link, a device, an
// absolute name, a name twice, or more than the limits allow: the whole archive is refused, naming the member.
// Source: POSIX.1-2008 pax / ustar, GNU tar, RFC 1952. Thread-safe: no shared state.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace espalier {

struct ArchiveLimits {
    std::size_t members_max = 1024;
    std::size_t name_bytes_max = 1024;
    /// Size of the tar stream after gzip is undone: all members, headers and padding.
    std::uint64_t total_bytes_max = std::uint64_t{4} << 30;
    /// Unpacked bytes per packed byte, looked at from ratio_free_bytes on: a small file may be as regular as it likes.
    /// Text models pack up to about 15 : 1; deflate's own ceiling is 1032 : 1.
    std::uint64_t ratio_max = 200;
    std::uint64_t ratio_free_bytes = std::uint64_t{64} << 20;
};

struct ArchiveMember {
    std::string name;  ///< relative, "/"-separated, a leading "./" removed
    std::string bytes;
};

/// The regular files of the .tar.gz in `archive`, in archive order.
/// kCorruptData: not gzip, truncated, wrong CRC, bytes after the end, a broken tar header.
/// kInvalidArgument: a member that is refused (link, device, absolute or ".." name, a name that comes twice).
/// kResourceLimit: a limit is passed. Messages are sentences without a final full stop: "the archive is truncated …".
Result<std::vector<ArchiveMember>> ReadTarGz(std::span<const char> archive, const ArchiveLimits& limits = {});

/// ReadTarGz on a file, which must not change while it is read.
Result<std::vector<ArchiveMember>> ReadTarGzFile(const std::string& path, const ArchiveLimits& limits = {});

/// A file to pack: its content lies in the file `path`.
struct ArchiveSource {
    std::string name;  ///< name inside the archive, relative
    std::string path;
};

/// Writes a .tar.gz with `sources` in the order given: mode 0644, owner root, modification time `modified`. The same
/// input gives the same bytes. The file is complete and fsynced when this returns; on an error it is removed.
Result<void> WriteTarGz(const std::string& archive_path, std::span<const ArchiveSource> sources, UnixMillis modified);

/// Every regular file below `directory`, names relative to it, sorted by name: what WriteTarGz packs for a model
/// folder. Links and special files are not followed and not listed.
Result<std::vector<ArchiveSource>> ListArchiveSources(const std::string& directory);

}  // namespace espalier
