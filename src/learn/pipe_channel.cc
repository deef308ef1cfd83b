#include "learn/pipe_channel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/fs.h"

namespace espalier::learn {

namespace {

constexpr std::size_t kCopyBytes = std::size_t{1} << 20;

Result<void> CopyAll(const Fd& from, const Fd& to, const std::string& name) {
    std::vector<char> bytes(kCopyBytes);
    for (;;) {
        const ssize_t got = ::read(from.get(), bytes.data(), bytes.size());
        if (got == 0) return {};
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ErrnoError("read " + name, errno);
        for (ssize_t done = 0; done < got;) {
            const ssize_t written = ::write(to.get(), bytes.data() + done, static_cast<std::size_t>(got - done));
            if (written < 0 && errno != EINTR) return ErrnoError("keep what comes from " + name, errno);
            if (written > 0) done += written;
        }
    }
}

}  // namespace

Result<void> CheckPipeRule(data::InputFormat format, PipeRule rule) {
    if (rule == PipeRule::kNever) {
        return Error(ErrorCode::kInvalidArgument,
                     "Pipe input mode for SageMaker XGBoost is not supported. Set input_mode='File'.");
    }
    if (format == data::InputFormat::kLibsvm) {
        return Error(ErrorCode::kInvalidArgument,
                     "Pipe mode not supported for LibSVM. Set input_mode='File', or convert the data to CSV.");
    }
    if (rule == PipeRule::kNotLibsvm) return {};
    const std::string_view name = format == data::InputFormat::kCsv       ? "CSV"
                                  : format == data::InputFormat::kParquet ? "Parquet"
                                                                          : "RecordIO-Protobuf";
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("Pipe mode for {} is no longer supported. Please use Fast File mode (default) instead. Set "
                    "input_mode='File' in your SageMaker Estimator or TrainingInput.",
                    name));
}

Result<std::vector<data::DataFile>> SpoolPipe(const std::string& root, const std::string& channel) {
    const std::string pipe_path = fmt::format("{}/input/data/{}_0", root, channel);
    const std::string folder = root + "/input/spool";
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return ErrnoError("make " + folder, error.value());
    const std::string path = fmt::format("{}/{}", folder, channel);
    const std::string name = fmt::format("the pipe of channel '{}'", channel);
    const Fd pipe(::open(pipe_path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!pipe.is_open()) return ErrnoError("open " + name, errno);
    {
        const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        if (!file.is_open()) return ErrnoError("make " + path, errno);
        TRY(CopyAll(pipe, file, name));
    }
    return data::FindDataFiles(std::array{path});
}

}  // namespace espalier::learn
