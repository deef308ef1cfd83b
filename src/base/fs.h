// The file system, behind an interface small enough to be failed call by call.
//
// Nouns: Fd (an owned descriptor), Fs (the calls the store makes), RealFs (POSIX), FaultFs (for tests: the k-th call
// fails, once or from then on, as on a dying disk or a killed process).
// Every call reports what failed with the path in the message. Interrupted calls (EINTR) are repeated. A failed Sync is
// never repeated: the kernel may have dropped the pages, so the caller must give the file up.
// Thread-safe: RealFs has no state, FaultFs counts under a mutex.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace espalier {

/// Owns a file descriptor; closes it. Move-only.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept;
    ~Fd();

    int get() const { return fd_; }
    bool is_open() const { return fd_ >= 0; }
    void Close();

  private:
    int fd_ = -1;
};

/// Of a whole file system.
struct DiskSpace {
    std::uint64_t free_bytes = 0;  ///< that this process may still use
    std::uint64_t total_bytes = 0;
};

class Fs {
  public:
    virtual ~Fs() = default;

    /// A new empty file, mode 0600, open for reading and writing. kAlreadyExists when the name is taken.
    virtual Result<Fd> Create(const std::string& path) = 0;
    /// kNotFound when there is none. Symbolic links are not followed.
    virtual Result<Fd> OpenForReading(const std::string& path) = 0;
    virtual Result<std::uint64_t> SizeOf(const Fd& file) = 0;
    /// The space of the file system that holds `file`.
    virtual Result<DiskSpace> SpaceAround(const Fd& file) = 0;
    /// Reads until `out` is full or the file ends; the count of bytes read.
    virtual Result<std::size_t> ReadAt(const Fd& file, std::span<char> out, std::uint64_t offset) = 0;
    /// Writes all of `bytes` at the file's position.
    virtual Result<void> Append(const Fd& file, std::span<const char> bytes) = 0;
    /// Copies bytes from `offset` of `from` to the position of `to`, inside the kernel where it can (copy_file_range:
    /// shared extents on some file systems). kCorruptData when `from` is shorter.
    virtual Result<void> AppendRange(const Fd& to, const Fd& from, std::uint64_t offset, std::uint64_t size_bytes) = 0;
    /// fsync: contents and size are on the disk after it.
    virtual Result<void> Sync(const Fd& file) = 0;
    /// Asks the kernel to start writing these bytes out, so that a later Sync is short. No promise, no error.
    virtual void StartWriteback(const Fd& file, std::uint64_t offset, std::uint64_t size_bytes) = 0;
    /// fsync of a folder: names created, renamed and removed in it are on the disk after it.
    virtual Result<void> SyncFolder(const std::string& path) = 0;
    virtual Result<void> Rename(const std::string& from, const std::string& to) = 0;
    /// A second name for the same file. kConflict when the two lie on different file systems (EXDEV).
    virtual Result<void> Link(const std::string& existing, const std::string& added) = 0;
    /// kNotFound when there is none.
    virtual Result<void> Remove(const std::string& path) = 0;
    /// One folder, mode 0700; fine when it exists already.
    virtual Result<void> MakeFolder(const std::string& path) = 0;
    /// Names in a folder without "." and "..", unordered.
    virtual Result<std::vector<std::string>> List(const std::string& folder) = 0;
};

class RealFs final : public Fs {
  public:
    Result<Fd> Create(const std::string& path) override;
    Result<Fd> OpenForReading(const std::string& path) override;
    Result<std::uint64_t> SizeOf(const Fd& file) override;
    Result<DiskSpace> SpaceAround(const Fd& file) override;
    Result<std::size_t> ReadAt(const Fd& file, std::span<char> out, std::uint64_t offset) override;
    Result<void> Append(const Fd& file, std::span<const char> bytes) override;
    Result<void> AppendRange(const Fd& to, const Fd& from, std::uint64_t offset, std::uint64_t size_bytes) override;
    Result<void> Sync(const Fd& file) override;
    void StartWriteback(const Fd& file, std::uint64_t offset, std::uint64_t size_bytes) override;
    Result<void> SyncFolder(const std::string& path) override;
    Result<void> Rename(const std::string& from, const std::string& to) override;
    Result<void> Link(const std::string& existing, const std::string& added) override;
    Result<void> Remove(const std::string& path) override;
    Result<void> MakeFolder(const std::string& path) override;
    Result<std::vector<std::string>> List(const std::string& folder) override;
};

/// Passes calls on to another Fs until the `fail_at`-th one (counted from 1 after each Arm). That one fails with kIo;
/// with `and_after` so do all that follow, clean-up included, which is what a killed process leaves behind. A failing
/// Append has written half of its bytes, as a full disk does.
class FaultFs final : public Fs {
  public:
    explicit FaultFs(Fs& inner) : inner_(inner) {}

    void Arm(std::uint64_t fail_at, bool and_after);
    void Disarm() { Arm(0, false); }
    /// SpaceAround tells of this much free space from now on; nullopt: of what there is.
    void PretendFree(std::optional<std::uint64_t> free_bytes);
    /// Calls since the last Arm; fewer than fail_at means that nothing has failed.
    std::uint64_t num_calls() const;

    Result<Fd> Create(const std::string& path) override;
    Result<Fd> OpenForReading(const std::string& path) override;
    Result<std::uint64_t> SizeOf(const Fd& file) override;
    Result<DiskSpace> SpaceAround(const Fd& file) override;
    Result<std::size_t> ReadAt(const Fd& file, std::span<char> out, std::uint64_t offset) override;
    Result<void> Append(const Fd& file, std::span<const char> bytes) override;
    Result<void> AppendRange(const Fd& to, const Fd& from, std::uint64_t offset, std::uint64_t size_bytes) override;
    Result<void> Sync(const Fd& file) override;
    void StartWriteback(const Fd& file, std::uint64_t offset, std::uint64_t size_bytes) override;
    Result<void> SyncFolder(const std::string& path) override;
    Result<void> Rename(const std::string& from, const std::string& to) override;
    Result<void> Link(const std::string& existing, const std::string& added) override;
    Result<void> Remove(const std::string& path) override;
    Result<void> MakeFolder(const std::string& path) override;
    Result<std::vector<std::string>> List(const std::string& folder) override;

  private:
    Result<void> Count(const char* call, const std::string& what);

    Fs& inner_;
    mutable std::mutex mutex_;
    std::uint64_t num_calls_ = 0;
    std::uint64_t fail_at_ = 0;  ///< 0 = never
    bool and_after_ = false;
    std::optional<std::uint64_t> pretended_free_bytes_;
};

}  // namespace espalier
