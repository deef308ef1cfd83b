#include "api/s3/s3_xml.h"
#include "base/check.h"
#include "fuzz_target.h"

namespace espalier::fuzz {

std::vector<std::string> Seeds() {
    return {
        "<Delete "
        "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a&amp;b</Key></Object><Quiet>true</Quiet>"
        "</Delete>",
        "<?xml version=\"1.0\"?><CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"abc\"</ETag>"
        "<ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part><Part><PartNumber>2</PartNumber><ETag>d</ETag></Part>"
        "</CompleteMultipartUpload>",
        "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>",
        "<!DOCTYPE x [<!ENTITY a \"aaaaaaaa\"><!ENTITY b "
        "\"&a;&a;&a;&a;\">]><Delete><Object><Key>&b;</Key></Object></Delete>"};
}

std::vector<std::string> Words() {
    return {"<",          ">",
            "</",         "/>",
            "&amp;",      "&#0;",
            "&#x10FFFF;", "&b;",
            "<![CDATA[",  "]]>",
            "<!--",       "-->",
            "<?",         "<!DOCTYPE",
            "<Key>",      "</Key>",
            "<Part>",     "<PartNumber>99999999999</PartNumber>",
            "<Object>",   "<Object><Key>k</Key></Object>"};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace espalier;
    std::string_view text = fuzz::AsText(data, size);
    auto deletes = api::s3::ParseDelete(text);
    if (deletes) {
        CHECK(deletes->entries.size() <= 1000);
        // No entity grows: what comes out is never longer than what went in.
        std::size_t total = 0;
        for (const api::s3::DeleteEntry& entry : deletes->entries) total += entry.key.size();
        CHECK(total <= text.size());
    }
    for (store::ChecksumAlgorithm algorithm : {store::ChecksumAlgorithm::kNone, store::ChecksumAlgorithm::kCrc32}) {
        (void)api::s3::ParseCompleteMultipartUpload(text, algorithm);
    }
    auto location = api::s3::ParseCreateBucket(text);
    if (location) CHECK(location->size() <= text.size());
    return 0;
}
