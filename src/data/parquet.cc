#include "data/parquet.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>
#include <utility>

#include "data/parquet_plugin.h"

namespace espalier::data {
namespace {

struct Plugin {
    DescribeParquetFunction* describe = nullptr;
    ReadParquetFunction* read = nullptr;
};

/// Beside the program, or where the build leaves it. Never through the search path: what is loaded is ours.
Result<Plugin> LoadPlugin() {
    std::error_code error;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
    std::string tried;
    for (const char* folder : {"", "lib", "../lib"}) {
        const std::string path = (program.parent_path() / folder / kParquetLibraryName).lexically_normal().string();
        if (!std::filesystem::exists(path, error)) {
            tried += (tried.empty() ? "" : ", ") + path;
            continue;
        }
        void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // Kept until the program ends.
        if (library == nullptr) return Error(ErrorCode::kInternal, fmt::format("load {}: {}", path, ::dlerror()));
        Plugin plugin;
        plugin.describe = reinterpret_cast<DescribeParquetFunction*>(::dlsym(library, kDescribeParquetName));
        plugin.read = reinterpret_cast<ReadParquetFunction*>(::dlsym(library, kReadParquetName));
        if (plugin.describe != nullptr && plugin.read != nullptr) return plugin;
        return Error(ErrorCode::kInternal, fmt::format("{} is of another version of Espalier", path));
    }
    return Error(ErrorCode::kInternal,
                 fmt::format("this installation cannot read Parquet: {} is missing (looked at {}). Install it, or "
                             "convert the data to text/csv.",
                             kParquetLibraryName, tried));
}

bool IsWholeNumber(const std::string& text, std::int64_t& value) {
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    return code == std::errc() && end == text.data() + text.size();
}

}  // namespace

bool CategoryLess(const std::string& a, const std::string& b) {
    std::int64_t number_a = 0;
    std::int64_t number_b = 0;
    const bool whole_a = IsWholeNumber(a, number_a);
    const bool whole_b = IsWholeNumber(b, number_b);
    if (whole_a && whole_b && number_a != number_b) return number_a < number_b;
    return whole_a != whole_b ? whole_a : a < b;
}

Result<void> MergeParquetColumns(std::vector<ParquetColumn>& mine, const std::vector<ParquetColumn>& other) {
    if (mine.size() != other.size()) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("it has {} columns instead of {}", other.size(), mine.size()));
    }
    for (std::size_t i = 0; i < mine.size(); ++i) {
        if (mine[i].name != other[i].name || mine[i].categorical != other[i].categorical) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("its column {} is '{}'{} instead of '{}'{}: give all files the same columns in "
                                     "the same order",
                                     i, other[i].name, other[i].categorical ? " (categorical)" : "", mine[i].name,
                                     mine[i].categorical ? " (categorical)" : ""));
        }
        std::vector<std::string> all;
        std::set_union(mine[i].categories.begin(), mine[i].categories.end(), other[i].categories.begin(),
                       other[i].categories.end(), std::back_inserter(all), CategoryLess);
        if (all.size() > kCategoriesMax) {
            return Error(ErrorCode::kResourceLimit,
                         fmt::format("its column '{}' has more than {} categories", mine[i].name, kCategoriesMax));
        }
        mine[i].categories = std::move(all);
    }
    return {};
}

Result<std::vector<ParquetColumn>> DescribeParquetFiles(std::span<const DataFile> files) {
    std::vector<ParquetColumn> all;
    if (files.empty()) return all;
    const Plugin plugin = TRY(LoadPlugin());
    for (const DataFile& file : files) {
        std::vector<ParquetColumn> columns;
        if (auto error = plugin.describe(file, columns)) return std::move(*error);
        if (&file == files.data()) {
            all = std::move(columns);
        } else {
            TRY_MSG(MergeParquetColumns(all, columns), file.name);
        }
    }
    return all;
}

Result<void> LoadParquetBlocks(std::span<const DataFile> files, const ParquetOptions& options,
                               const std::function<Result<void>(LabeledRows&& block)>& consume) {
    if (files.empty()) return {};
    const Plugin plugin = TRY(LoadPlugin());
    for (const DataFile& file : files) {
        if (auto error = plugin.read(file, options, consume)) return std::move(*error);
    }
    return {};
}

}  // namespace espalier::data
