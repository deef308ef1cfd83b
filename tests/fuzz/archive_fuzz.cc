#include <zlib.h>

#include "base/archive.h"
#include "base/check.h"
#include "fuzz_target.h"

namespace espalier::fuzz {
namespace {

std::string Gzip(std::string_view bytes) {
    z_stream stream{};
    CHECK(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string packed(deflateBound(&stream, bytes.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    packed.resize(packed.size() - stream.avail_out);
    deflateEnd(&stream);
    return packed;
}

// One ustar member: a header block with its checksum, and the content padded to blocks.
std::string TarMember(const std::string& name, char type, const std::string& content) {
    std::string header(512, '\0');
    name.copy(header.data(), 100);
    std::string(
        "0000644\0"
        "0000000\0"
        "0000000\0",
        24)
        .copy(header.data() + 100, 24);
    std::snprintf(header.data() + 124, 12, "%011zo", content.size());
    std::string("00000000000\0", 12).copy(header.data() + 136, 12);
    header[156] = type;
    std::string(
        "ustar\0"
        "00",
        8)
        .copy(header.data() + 257, 8);
    unsigned sum = 8 * ' ';
    for (char c : header) sum += static_cast<unsigned char>(c);
    std::snprintf(header.data() + 148, 8, "%06o", sum);
    header[155] = ' ';
    return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

}  // namespace

std::vector<std::string> Seeds() {
    std::string end(1024, '\0');
    std::string model = TarMember("xgboost-model", '0', "{\"learner\":{}}");
    std::string folder = TarMember("./", '5', "") + TarMember("./xgboost-model", '0', std::string(600, 'x'));
    std::string link = TarMember("xgboost-model", '2', "");
    std::string outside = TarMember("../xgboost-model", '0', "x");
    return {model + end,         folder + end,      link + end,         outside + end,
            model + model + end, Gzip(model + end), Gzip(folder + end), Gzip(model + end) + Gzip(end)};
}

std::vector<std::string> Words() {
    return {std::string("\x1f\x8b\x08", 3),
            "ustar",
            "../",
            "/",
            std::string(512, '\0'),
            "00000000000",
            "77777777777",
            "././@LongLink",
            "PaxHeader",
            "17 path=a\n"};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace espalier;
    ArchiveLimits limits;
    limits.total_bytes_max = 1 << 20;
    limits.members_max = 8;
    std::string_view bytes = fuzz::AsText(data, size);
    // As it is, and as the tar stream inside a sound gzip: mutations would hardly ever get past a checksum.
    for (const std::string& archive : {std::string(bytes), fuzz::Gzip(bytes)}) {
        Result<std::vector<ArchiveMember>> members = ReadTarGz(archive, limits);
        if (!members) continue;
        CHECK(members->size() <= limits.members_max);
        std::size_t total = 0;
        for (const ArchiveMember& member : *members) {
            total += member.bytes.size();
            CHECK(!member.name.empty() && member.name.front() != '/');
            CHECK(member.name != ".." && !member.name.starts_with("../") && !member.name.ends_with("/.."));
            CHECK(member.name.find("/../") == std::string::npos);
        }
        CHECK(total <= limits.total_bytes_max);
    }
    return 0;
}
