#include "base/archive.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

namespace espalier {
namespace {

/// A ustar header block with a right checksum; the oracle for what WriteTarGz would never write.
std::string TarHeader(std::string_view name, char type, std::uint64_t size, std::string_view link = "") {
    std::string block(512, '\0');
    auto put = [&](std::size_t at, std::string_view text) { std::memcpy(block.data() + at, text.data(), text.size()); };
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, fmt::format("{:011o}", size));
    put(136, "00000000000");
    put(148, "        ");
    block[156] = type;
    put(157, link);
    put(257, std::string_view("ustar\00000", 8));
    unsigned sum = 0;
    for (char c : block) sum += static_cast<unsigned char>(c);
    put(148, fmt::format("{:06o}", sum));
    block[154] = '\0';
    return block;
}

std::string TarFile(std::string_view name, std::string content) {
    std::string out = TarHeader(name, '0', content.size());
    content.resize((content.size() + 511) / 512 * 512);
    return out + content;
}

const std::string kTarEnd(1024, '\0');

std::string Gzip(std::string_view plain) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string out(deflateBound(&stream, plain.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string ErrorOf(std::string_view archive, const ArchiveLimits& limits = {}) {
    Result<std::vector<ArchiveMember>> members = ReadTarGz(archive, limits);
    return members ? "no error" : std::string(ToString(members.error().code())) + ": " + members.error().ToString();
}

std::string Noise(std::size_t size) {
    std::string out(size, '\0');
    std::uint64_t state = 42;
    for (char& c : out) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        c = static_cast<char>(state >> 56);
    }
    return out;
}

class TempFolder {
  public:
    TempFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "archive_test_XXXXXX").string();
        path = ::mkdtemp(pattern.data());
    }
    ~TempFolder() { std::filesystem::remove_all(path); }
    std::string path;
};

TEST(Archive, ReadsRegularFilesAndSkipsFolders) {
    std::string tar =
        TarHeader("./", '5', 0) + TarFile("./xgboost-model", "abc") + TarFile("code/inference.py", "") + kTarEnd;
    std::vector<ArchiveMember> members = ReadTarGz(Gzip(tar)).value();
    ASSERT_EQ(members.size(), 2U);
    EXPECT_EQ(members[0].name, "xgboost-model");
    EXPECT_EQ(members[0].bytes, "abc");
    EXPECT_EQ(members[1].name, "code/inference.py");
    EXPECT_EQ(members[1].bytes, "");
}

TEST(Archive, RefusesMembersThatPointElsewhere) {
    auto with = [](const std::string& header) { return Gzip(header + kTarEnd); };
    EXPECT_EQ(ErrorOf(with(TarHeader("a", '2', 0, "/etc/passwd"))),
              "invalid_argument: the archive's member \"a\" is a symbolic link");
    EXPECT_EQ(ErrorOf(with(TarHeader("a", '1', 0, "b"))),
              "invalid_argument: the archive's member \"a\" is a hard link");
    EXPECT_EQ(ErrorOf(with(TarHeader("a", '3', 0))),
              "invalid_argument: the archive's member \"a\" is a device, socket or pipe");
    EXPECT_EQ(ErrorOf(with(TarHeader("a", '6', 0))),
              "invalid_argument: the archive's member \"a\" is a device, socket or pipe");
    EXPECT_EQ(ErrorOf(with(TarFile("/etc/passwd", "x"))),
              "invalid_argument: the archive's member \"/etc/passwd\" has an absolute name");
    EXPECT_EQ(ErrorOf(with(TarFile("a/../../b", "x"))),
              "invalid_argument: the archive's member \"a/../../b\" has a \"..\" in its name");
    EXPECT_EQ(ErrorOf(with(TarFile("a", "x") + TarFile("./a", "y"))),
              "invalid_argument: the archive's member \"a\" comes twice");
}

TEST(Archive, NamesWhatIsBroken) {
    std::string good = Gzip(TarFile("xgboost-model", Noise(3000)) + kTarEnd);
    EXPECT_EQ(ErrorOf(""), "corrupt_data: the archive is empty (0 bytes)");
    EXPECT_EQ(ErrorOf("PK\3\4 a zip"), "corrupt_data: the archive is not in gzip format");
    EXPECT_EQ(ErrorOf(good.substr(0, good.size() / 2)),
              "corrupt_data: the archive is truncated: its gzip data stop before their end");
    EXPECT_EQ(ErrorOf(good.substr(0, good.size() - 3)),
              "corrupt_data: the archive is truncated: its gzip data stop before their end");
    EXPECT_EQ(ErrorOf(good + "tail"),
              "corrupt_data: the archive has bytes that do not belong to it after its gzip data");
    std::string wrong_crc = good;
    wrong_crc[wrong_crc.size() - 6] = static_cast<char>(wrong_crc[wrong_crc.size() - 6] ^ 1);
    EXPECT_EQ(ErrorOf(wrong_crc), "corrupt_data: the archive's gzip data are corrupt (incorrect data check)");
    EXPECT_EQ(ErrorOf(good + std::string(512, '\0')), "no error");
    EXPECT_TRUE(ErrorOf(Gzip("this is text and not a tar at all"))
                    .starts_with("corrupt_data: the archive's tar data are corrupt"));
    std::string cut_tar = TarFile("xgboost-model", Noise(3000)).substr(0, 1024);
    EXPECT_TRUE(ErrorOf(Gzip(cut_tar)).starts_with("corrupt_data: the archive's tar data are corrupt"))
        << ErrorOf(Gzip(cut_tar));
}

TEST(Archive, AnyOneFlippedByteIsNoticedOrHarmless) {
    std::string content = Noise(400);
    std::string good = Gzip(TarFile("xgboost-model", content) + kTarEnd);
    for (std::size_t at = 0; at < good.size(); ++at) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 0x10);
        Result<std::vector<ArchiveMember>> members = ReadTarGz(bad);
        // The time in the gzip header, or another way to spell the same run of zeros.
        EXPECT_EQ(members ? members->at(0).bytes : content, content) << at;
    }
}

TEST(Archive, EveryTruncationIsAnError) {
    std::string good = Gzip(TarFile("xgboost-model", Noise(700)) + kTarEnd);
    for (std::size_t size = 0; size < good.size(); ++size)
        EXPECT_FALSE(ReadTarGz(std::span(good.data(), size)).has_value()) << size;
}

TEST(Archive, KeepsItsLimits) {
    ArchiveLimits limits;
    limits.total_bytes_max = 4096;
    EXPECT_EQ(ErrorOf(Gzip(TarFile("a", std::string(2000, 'x')) + kTarEnd), limits), "no error");
    EXPECT_EQ(ErrorOf(Gzip(TarFile("a", std::string(2600, 'x')) + kTarEnd), limits),
              "resource_limit: the archive unpacks to more than 4096 bytes");
    EXPECT_EQ(ErrorOf(Gzip(TarHeader("a", '0', 1ULL << 32) + kTarEnd), limits),
              "resource_limit: the archive's member \"a\" is larger than 4096 bytes");
    limits = {};
    limits.members_max = 2;
    EXPECT_EQ(ErrorOf(Gzip(TarFile("a", "") + TarFile("b", "") + kTarEnd), limits), "no error");
    EXPECT_EQ(ErrorOf(Gzip(TarFile("a", "") + TarFile("b", "") + TarFile("c", "") + kTarEnd), limits),
              "resource_limit: the archive has more than 2 members");
    limits = {};
    limits.name_bytes_max = 3;
    EXPECT_EQ(ErrorOf(Gzip(TarFile("abc", "") + kTarEnd), limits), "no error");
    EXPECT_EQ(ErrorOf(Gzip(TarFile("abcd", "") + kTarEnd), limits),
              "resource_limit: the archive has a member name longer than 3 bytes");
    limits = {};
    limits.ratio_max = 20;
    limits.ratio_free_bytes = 1 << 20;
    EXPECT_EQ(ErrorOf(Gzip(TarFile("a", std::string(3 << 20, '\0')) + kTarEnd), limits),
              "resource_limit: the archive unpacks to more than 20 times its size");
}

TEST(Archive, WritesWhatItReadsTheSameBytesEachTime) {
    TempFolder folder;
    std::string content = Noise(700'000);
    std::filesystem::create_directory(folder.path + "/model");
    std::filesystem::create_directory(folder.path + "/model/logs");
    std::ofstream(folder.path + "/model/xgboost-model", std::ios::binary) << content;
    std::ofstream(folder.path + "/model/logs/a.txt") << "hello";
    std::filesystem::create_symlink("/etc/passwd", folder.path + "/model/link");

    std::vector<ArchiveSource> sources = ListArchiveSources(folder.path + "/model").value();
    ASSERT_EQ(sources.size(), 2U);
    EXPECT_EQ(sources[0].name, "logs/a.txt");
    ASSERT_TRUE(WriteTarGz(folder.path + "/1.tar.gz", sources, 1'700'000'000'000).has_value());
    ASSERT_TRUE(WriteTarGz(folder.path + "/2.tar.gz", sources, 1'700'000'000'000).has_value());
    std::vector<ArchiveMember> members = ReadTarGzFile(folder.path + "/1.tar.gz").value();
    ASSERT_EQ(members.size(), 2U);
    EXPECT_EQ(members[0].bytes, "hello");
    EXPECT_EQ(members[1].name, "xgboost-model");
    EXPECT_EQ(members[1].bytes, content);
    auto slurp = [](const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    EXPECT_EQ(slurp(folder.path + "/1.tar.gz"), slurp(folder.path + "/2.tar.gz"));
}

TEST(Archive, LeavesNoHalfWrittenFileBehind) {
    TempFolder folder;
    std::vector<ArchiveSource> sources = {{"a", folder.path + "/is-not-there"}};
    Result<void> written = WriteTarGz(folder.path + "/x.tar.gz", sources, 0);
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().code(), ErrorCode::kNotFound);
    EXPECT_FALSE(std::filesystem::exists(folder.path + "/x.tar.gz"));
    EXPECT_EQ(ListArchiveSources(folder.path + "/nowhere").error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(ReadTarGzFile(folder.path + "/nowhere").error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace espalier
