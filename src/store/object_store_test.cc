#include "store/object_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "base/crc.h"
#include "base/digest.h"
#include "store/store_fixture.h"

namespace espalier::store {
namespace {

constexpr std::size_t kMiB = 1 << 20;

std::string Pattern(std::size_t size, unsigned seed) {
    std::string bytes(size, '\0');
    std::uint32_t state = seed * 2654435761U + 1;
    for (char& byte : bytes) {
        state = state * 1664525U + 1013904223U;
        byte = static_cast<char>(state >> 24);
    }
    return bytes;
}

TEST(NamesTest, BucketRules) {
    for (const char* good : {"abc", "a-b.c", "123", "1.2.3", "my-bucket.example.com"}) {
        EXPECT_TRUE(BucketName::Parse(good).has_value()) << good;
    }
    for (const char* bad :
         {"", "ab", "Abc", "a_b", "-ab", "ab-", ".ab", "a..b", "192.168.1.1", "a b", "a/b", "b\xc3\xbc"}) {
        EXPECT_FALSE(BucketName::Parse(bad).has_value()) << bad;
    }
    EXPECT_TRUE(BucketName::Parse(std::string(63, 'a')).has_value());
    EXPECT_FALSE(BucketName::Parse(std::string(64, 'a')).has_value());
}

TEST(NamesTest, KeyRules) {
    for (const char* good : {"a", "/", "//", "../x", "a/", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x8c\xb3", "\x01"}) {
        EXPECT_TRUE(ObjectKey::Parse(good).has_value()) << good;
    }
    for (const char* bad : {"", "\xff", "\xc0\xaf", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80"}) {
        EXPECT_FALSE(ObjectKey::Parse(bad).has_value());
    }
    EXPECT_FALSE(ObjectKey::Parse(std::string_view("a\0b", 3)).has_value());
    EXPECT_TRUE(ObjectKey::Parse(std::string(1024, 'k')).has_value());
    const auto too_long = ObjectKey::Parse(std::string(1025, 'k'));
    ASSERT_FALSE(too_long.has_value());
    EXPECT_EQ(too_long.error().code(), ErrorCode::kResourceLimit);
}

TEST(BlockChecksumsTest, EncodesAndDecodes) {
    BlockChecksums checksums;
    checksums.AppendSegment({BlockChecksums::kBlockBytes + 1, {0x1234, 0xffffffff}});
    checksums.AppendSegment({0, {}});
    checksums.AppendSegment({3, {7}});
    const std::string text = checksums.Encode();
    EXPECT_EQ(text, "1048577:00001234ffffffff;0:;3:00000007");
    const auto back = BlockChecksums::Decode(text);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->Encode(), text);
    for (const char* bad :
         {"x", "3:", "3:0000000", "3:0000000g", "3:0000000700000007", "-1:", "3;", ":", "99999999999999999999:"}) {
        EXPECT_FALSE(BlockChecksums::Decode(bad).has_value()) << bad;
    }
}

TEST_F(StoreTest, BucketsLiveAndDie) {
    EXPECT_EQ(FaultIn(store_->HeadBucket(bucket_)), Fault::kNoSuchBucket);
    ASSERT_TRUE(store_->CreateBucket(bucket_, "eu-west-1").has_value());
    EXPECT_EQ(FaultIn(store_->CreateBucket(bucket_, "eu-west-1")), Fault::kBucketExists);
    Reopen(real_fs_);
    EXPECT_EQ(store_->HeadBucket(bucket_)->region, "eu-west-1");
    ASSERT_TRUE(store_->CreateBucket(Bucket("other"), "us-east-1").has_value());
    EXPECT_EQ(store_->ListBuckets("", "", 100)->size(), 2u);
    EXPECT_EQ(store_->ListBuckets("ot", "", 100)->size(), 1u);
    EXPECT_EQ(store_->ListBuckets("", "bucket", 100)->at(0).name, "other");

    ASSERT_TRUE(Put("k", "x").has_value());
    EXPECT_EQ(FaultIn(store_->DeleteBucket(bucket_)), Fault::kBucketNotEmpty);
    ASSERT_TRUE(store_->Delete(bucket_, Key("k")).has_value());
    const auto upload = store_->CreateUpload(bucket_, Key("u"), {}, ChecksumAlgorithm::kNone, ChecksumType::kComposite);
    ASSERT_TRUE(PutPart("u", *upload, 1, "part").has_value());
    ASSERT_TRUE(store_->DeleteBucket(bucket_).has_value());
    EXPECT_EQ(FaultIn(store_->DeleteBucket(bucket_)), Fault::kNoSuchBucket);
    EXPECT_EQ(CountFiles("blobs"), 0u);
    EXPECT_EQ(FaultIn(Put("k", "x")), Fault::kNoSuchBucket);
    EXPECT_EQ(FaultIn(Get("k")), Fault::kNoSuchBucket);
}

// A large body is digested by two threads; where it is cut, and whether a cut is large enough for them, changes
// nothing.
TEST_F(StoreTest, LargeBodiesHaveTheSameDigestsHoweverTheyAreCut) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    const std::string bytes = Pattern(3 * kMiB + 12345, 7);
    DigestSet digests;
    digests.Add(ChecksumAlgorithm::kSha256);
    digests.Add(ChecksumAlgorithm::kCrc32);
    for (std::size_t cut : {std::size_t{70'001}, std::size_t{256} << 10, std::size_t{1} << 20, bytes.size()}) {
        auto writer = store_->BeginWrite(bucket_, digests);
        ASSERT_TRUE(writer.has_value());
        for (std::size_t begin = 0; begin < bytes.size(); begin += cut) {
            ASSERT_TRUE((*writer)->Append(std::string_view(bytes).substr(begin, cut)).has_value());
        }
        const auto body = (*writer)->Finish();
        ASSERT_TRUE(body.has_value());
        EXPECT_EQ(body->size_bytes, bytes.size());
        EXPECT_EQ(body->md5, Md5::Of(bytes)) << cut;
        EXPECT_EQ(body->sha256, AsChars(Sha256::Of(bytes))) << cut;
        EXPECT_EQ(body->crc32, AsBigEndian(Crc32::Of(bytes))) << cut;
        const auto done = store_->CommitObject(std::move(*writer), bucket_, Key("k"), {}, {}, {});
        ASSERT_TRUE(done.has_value());
        EXPECT_EQ(*Get("k"), bytes) << cut;
    }
}

TEST_F(StoreTest, ObjectsKeepBytesAndAttributes) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    ObjectAttributes attributes;
    attributes.headers = {{"content-type", "text/plain"}, {"expires", "a:b"}};
    attributes.user_metadata = {{"color",
                                 "r\xe9"
                                 "d"},
                                {"empty", ""}};
    DigestSet digests;
    digests.Add(ChecksumAlgorithm::kSha256);
    auto writer = store_->BeginWrite(bucket_, digests);
    ASSERT_TRUE(writer.has_value());
    ASSERT_TRUE((*writer)->Append("hello ").has_value());
    ASSERT_TRUE((*writer)->Append("world").has_value());
    const auto body = (*writer)->Finish();
    EXPECT_EQ(body->sha256, AsChars(Sha256::Of("hello world")));
    EXPECT_TRUE(body->crc32.empty());
    const Checksum checksum{ChecksumAlgorithm::kSha256, ChecksumType::kFullObject, "abc="};
    ASSERT_TRUE(store_->CommitObject(std::move(*writer), bucket_, Key("k"), attributes, checksum, {}).has_value());

    Reopen(real_fs_);
    const auto info = store_->Head(bucket_, Key("k"));
    ASSERT_TRUE(info.has_value());
    EXPECT_EQ(info->etag, "5eb63bbbe01eeed093cb22bb8f5acdc3");
    EXPECT_EQ(info->size_bytes, 11u);
    EXPECT_EQ(info->attributes.headers, attributes.headers);
    EXPECT_EQ(info->attributes.user_metadata, attributes.user_metadata);
    EXPECT_EQ(info->checksum.algorithm, ChecksumAlgorithm::kSha256);
    EXPECT_EQ(info->checksum.value, "abc=");
    EXPECT_EQ(*Get("k"), "hello world");
    EXPECT_EQ(FaultIn(Get("other")), Fault::kNoSuchKey);
    EXPECT_EQ(store_->ReadAll(bucket_, Key("k"), 10).error().code(), ErrorCode::kResourceLimit);
}

TEST_F(StoreTest, AReaderKeepsItsVersion) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    ASSERT_TRUE(Put("k", "old").has_value());
    auto reader = store_->OpenForReading(bucket_, Key("k"));
    ASSERT_TRUE(Put("k", "newer").has_value());
    ASSERT_TRUE(store_->Delete(bucket_, Key("k")).has_value());
    char buffer[10];
    ASSERT_TRUE((*reader)->VerifyRange(0, 3).has_value());
    EXPECT_EQ(*(*reader)->ReadAt(buffer, 0), 3u);
    EXPECT_EQ(std::string_view(buffer, 3), "old");
    EXPECT_EQ(CountFiles("blobs"), 0u);
    // The blob has no name any more; copying from the open reader still works.
    ASSERT_TRUE(store_->Copy(**reader, bucket_, Key("copy"), {}).has_value());
    EXPECT_EQ(*Get("copy"), "old");
}

TEST_F(StoreTest, ConditionsAreDecidedWithTheWrite) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    EXPECT_EQ(FaultIn(Put("k", "1", {.if_absent = false, .if_match = "*"})), Fault::kNoSuchKey);
    const auto first = Put("k", "1", {.if_absent = true, .if_match = {}});
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(FaultIn(Put("k", "2", {.if_absent = true, .if_match = {}})), Fault::kPreconditionFailed);
    EXPECT_EQ(FaultIn(Put("k", "2", {.if_absent = false, .if_match = "beef"})), Fault::kPreconditionFailed);
    EXPECT_TRUE(Put("k", "2", {.if_absent = false, .if_match = first->etag}).has_value());
    EXPECT_EQ(*Get("k"), "2");
    EXPECT_EQ(FaultIn(store_->Delete(bucket_, Key("k"), {.if_absent = false, .if_match = first->etag})),
              Fault::kPreconditionFailed);
    EXPECT_EQ(CountFiles("blobs"), 1u);
    EXPECT_EQ(CountFiles("staging"), 0u);

    // Of many writers that ask for absence exactly one wins.
    std::atomic<int> winners = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 8; ++i) {
            threads.emplace_back([&] {
                if (Put("race", "x", {.if_absent = true, .if_match = {}})) ++winners;
            });
        }
    }
    EXPECT_EQ(winners, 1);
}

TEST_F(StoreTest, ListsWithPrefixDelimiterAndPages) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    const std::vector<std::string> keys = {"a", "a/1", "a/2", "a0", "b//c", "b/c", "d/", "\xc3\xbc", "z/y/x"};
    for (const auto& key : keys) ASSERT_TRUE(Put(key, key).has_value());
    const auto names = [](const Listing& listing) {
        std::string all;
        for (const auto& object : listing.objects) all += object.key + " ";
        all += "| ";
        for (const auto& prefix : listing.common_prefixes) all += prefix + " ";
        return all + (listing.is_truncated ? "+" : "");
    };
    const auto list = [&](ListRequest request) { return *store_->List(bucket_, request); };
    EXPECT_EQ(names(list({})), "a a/1 a/2 a0 b//c b/c d/ z/y/x \xc3\xbc | ");
    EXPECT_EQ(names(list({.prefix = "", .delimiter = "/", .start_after = ""})), "a a0 \xc3\xbc | a/ b/ d/ z/ ");
    EXPECT_EQ(names(list({.prefix = "b/", .delimiter = "/", .start_after = ""})), "b/c | b// ");
    EXPECT_EQ(names(list({.prefix = "a/", .delimiter = "", .start_after = "a/1"})), "a/2 | ");
    EXPECT_EQ(names(list({.prefix = "b", .delimiter = "", .start_after = "a"})), "b//c b/c | ");
    EXPECT_EQ(names(list({.prefix = "a", .delimiter = "", .start_after = "b"})), "| ");
    EXPECT_EQ(names(list({.prefix = "", .delimiter = "/", .start_after = "a/1"})), "a0 \xc3\xbc | a/ b/ d/ z/ ");
    EXPECT_EQ(names(list({.prefix = "", .delimiter = "/", .start_after = "a/"})), "a0 \xc3\xbc | b/ d/ z/ ");
    EXPECT_EQ(names(list({.prefix = "", .delimiter = "", .start_after = "", .max_keys = 0})), "| ");
    EXPECT_EQ(names(list({.prefix = "", .delimiter = "", .start_after = "", .max_keys = 9})),
              "a a/1 a/2 a0 b//c b/c d/ z/y/x \xc3\xbc | ");

    // Pages of every size give the same sequence as one page.
    for (const std::string delimiter : {"", "/"}) {
        const Listing whole = list({.prefix = "", .delimiter = delimiter, .start_after = ""});
        for (std::uint32_t size = 1; size < 10; ++size) {
            std::vector<std::string> objects;
            std::vector<std::string> prefixes;
            Listing page;
            do {
                page = list({.prefix = "", .delimiter = delimiter, .start_after = page.last, .max_keys = size});
                EXPECT_LE(page.objects.size() + page.common_prefixes.size(), size);
                for (const auto& object : page.objects) objects.push_back(object.key);
                prefixes.insert(prefixes.end(), page.common_prefixes.begin(), page.common_prefixes.end());
            } while (page.is_truncated);
            ASSERT_EQ(objects.size(), whole.objects.size());
            for (std::size_t i = 0; i < objects.size(); ++i) EXPECT_EQ(objects[i], whole.objects[i].key);
            EXPECT_EQ(prefixes, whole.common_prefixes);
        }
    }
    const std::vector<ObjectKey> some = {Key("a/1"), Key("missing"), Key("a/2")};
    ASSERT_TRUE(store_->DeleteMany(bucket_, some).has_value());
    EXPECT_EQ(names(list({.prefix = "a", .delimiter = "", .start_after = ""})), "a a0 | ");
    EXPECT_EQ(CountFiles("blobs"), keys.size() - 2);
}

TEST_F(StoreTest, MultipartJoinsPartsInOrder) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    const std::string one = Pattern(5 * kMiB, 1);
    const std::string two = Pattern(5 * kMiB + 17, 2);
    const std::string three = "tail";
    const auto id = store_->CreateUpload(bucket_, Key("k"), {}, ChecksumAlgorithm::kNone, ChecksumType::kComposite);
    ASSERT_TRUE(id.has_value());
    const auto p3 = PutPart("k", *id, 9, three);
    const auto wrong = PutPart("k", *id, 1, "replaced later");
    const auto p1 = PutPart("k", *id, 1, one);
    const auto p2 = PutPart("k", *id, 2, two);
    EXPECT_EQ(store_->ListParts(bucket_, Key("k"), *id, 0, 2)->size(), 2u);
    EXPECT_EQ(store_->ListParts(bucket_, Key("k"), *id, 2, 10)->at(0).number, 9u);
    const auto complete = [&](std::vector<CompletedPart> parts) {
        return store_->CompleteUpload(bucket_, Key("k"), *id,
                                      {.parts = std::move(parts), .checksum = "", .size_bytes = {}, .condition = {}});
    };
    EXPECT_EQ(FaultIn(complete({})), Fault::kInvalidPart);
    EXPECT_EQ(FaultIn(complete({{2, p2->etag, ""}, {1, p1->etag, ""}})), Fault::kInvalidPartOrder);
    EXPECT_EQ(FaultIn(complete({{1, wrong->etag, ""}})), Fault::kInvalidPart);
    EXPECT_EQ(FaultIn(complete({{3, p3->etag, ""}})), Fault::kInvalidPart);
    EXPECT_EQ(FaultIn(complete({{1, p1->etag, "AAAA"}})), Fault::kInvalidPart);
    EXPECT_EQ(FaultIn(Get("k")), Fault::kNoSuchKey);
    const auto done = complete({{1, p1->etag, ""}, {2, p2->etag, ""}, {9, p3->etag, ""}});
    ASSERT_TRUE(done.has_value()) << done.error().ToString();
    EXPECT_TRUE(done->etag.ends_with("-3"));
    EXPECT_EQ(done->num_parts, 3u);
    EXPECT_EQ(*Get("k"), one + two + three);
    EXPECT_EQ(CountFiles("blobs"), 1u);
    EXPECT_EQ(CountFiles("staging"), 0u);
    // Again: the same answer; after that the upload is gone for everything else.
    EXPECT_EQ(complete({{1, p1->etag, ""}})->etag, done->etag);
    EXPECT_EQ(FaultIn(PutPart("k", *id, 1, "x")), Fault::kNoSuchUpload);
    EXPECT_EQ(FaultIn(store_->AbortUpload(bucket_, Key("k"), *id)), Fault::kNoSuchUpload);
    EXPECT_EQ(FaultIn(store_->HeadUpload(bucket_, Key("k"), *id)), Fault::kNoSuchUpload);

    const auto reader = store_->OpenForReading(bucket_, Key("k"));
    EXPECT_EQ((*reader)->PartRange(2), (std::pair<std::uint64_t, std::uint64_t>(one.size(), two.size())));
    EXPECT_EQ((*reader)->PartRange(4), std::nullopt);
    EXPECT_TRUE((*reader)->VerifyRange(one.size() - 1, 2).has_value());
}

TEST_F(StoreTest, MultipartEdges) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    const auto id = store_->CreateUpload(bucket_, Key("k"), {}, ChecksumAlgorithm::kNone, ChecksumType::kComposite);
    const auto p1 = PutPart("k", *id, 1, "small");
    const auto p2 = PutPart("k", *id, 2, "");
    const std::vector<CompletedPart> both = {{1, p1->etag, ""}, {2, p2->etag, ""}};
    EXPECT_EQ(FaultIn(store_->CompleteUpload(bucket_, Key("k"), *id,
                                             {.parts = both, .checksum = "", .size_bytes = {}, .condition = {}})),
              Fault::kPartTooSmall);
    EXPECT_EQ(FaultIn(store_->CompleteUpload(bucket_, Key("other"), *id,
                                             {.parts = both, .checksum = "", .size_bytes = {}, .condition = {}})),
              Fault::kNoSuchUpload);
    // One part: its blob becomes the object's; the other part is dropped.
    const std::vector<CompletedPart> one = {{1, p1->etag, ""}};
    ASSERT_TRUE(Put("k", "before").has_value());
    EXPECT_EQ(FaultIn(store_->CompleteUpload(
                  bucket_, Key("k"), *id,
                  {.parts = one, .checksum = "", .size_bytes = {}, .condition = {.if_absent = true, .if_match = {}}})),
              Fault::kPreconditionFailed);
    EXPECT_EQ(*Get("k"), "before");
    EXPECT_EQ(FaultIn(store_->CompleteUpload(bucket_, Key("k"), *id,
                                             {.parts = one, .checksum = "", .size_bytes = 4, .condition = {}})),
              Fault::kSizeMismatch);
    ASSERT_TRUE(
        store_->CompleteUpload(bucket_, Key("k"), *id, {.parts = one, .checksum = "", .size_bytes = 5, .condition = {}})
            .has_value());
    EXPECT_EQ(*Get("k"), "small");
    EXPECT_EQ(CountFiles("blobs"), 1u);

    const auto aborted =
        store_->CreateUpload(bucket_, Key("k"), {}, ChecksumAlgorithm::kNone, ChecksumType::kComposite);
    ASSERT_TRUE(PutPart("k", *aborted, 1, "x").has_value());
    ASSERT_TRUE(store_->AbortUpload(bucket_, Key("k"), *aborted).has_value());
    EXPECT_EQ(CountFiles("blobs"), 1u);
    EXPECT_EQ(FaultIn(store_->AbortUpload(bucket_, Key("k"), *aborted)), Fault::kNoSuchUpload);
}

TEST_F(StoreTest, JoinsChecksumsWithoutReading) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    const std::string one = Pattern(5 * kMiB, 3);
    const std::string two = Pattern(1000, 4);
    const auto run = [&](ChecksumType type) {
        const auto id = store_->CreateUpload(bucket_, Key("k"), {}, ChecksumAlgorithm::kCrc64nvme, type);
        std::vector<CompletedPart> parts;
        for (const std::string* bytes : {&one, &two}) {
            DigestSet digests;
            digests.Add(ChecksumAlgorithm::kCrc64nvme);
            auto writer = *store_->BeginWrite(bucket_, digests);
            EXPECT_TRUE(writer->Append(*bytes).has_value());
            const std::string checksum = Base64Encode(writer->Finish()->crc64nvme);
            const auto number = static_cast<std::uint32_t>(parts.size() + 1);
            const auto part = store_->CommitPart(std::move(writer), bucket_, Key("k"), *id, number, checksum);
            parts.push_back({number, part->etag, checksum});
        }
        EXPECT_EQ(FaultIn(store_->CompleteUpload(
                      bucket_, Key("k"), *id,
                      {.parts = parts, .checksum = "AAAAAAAAAAA=", .size_bytes = {}, .condition = {}})),
                  Fault::kChecksumMismatch);
        return store_
            ->CompleteUpload(bucket_, Key("k"), *id,
                             {.parts = parts, .checksum = "", .size_bytes = {}, .condition = {}})
            ->checksum;
    };
    EXPECT_EQ(run(ChecksumType::kFullObject).value, Base64Encode(AsBigEndian(Crc64Nvme::Of(one + two))));
    const std::string raw = AsBigEndian(Crc64Nvme::Of(one)) + AsBigEndian(Crc64Nvme::Of(two));
    EXPECT_EQ(run(ChecksumType::kComposite).value, Base64Encode(AsBigEndian(Crc64Nvme::Of(raw))) + "-2");
}

TEST_F(StoreTest, ListsUploads) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    for (const char* key : {"a", "b", "b", "c/1", "c/2"}) {
        ASSERT_TRUE(store_->CreateUpload(bucket_, Key(key), {}, ChecksumAlgorithm::kNone, ChecksumType::kComposite));
    }
    std::string all;
    ListUploadsRequest request;
    request.max_uploads = 1;
    UploadListing page;
    do {
        page = *store_->ListUploads(bucket_, request);
        for (const auto& upload : page.uploads) all += upload.key + " ";
        request.key_marker = page.next_key_marker;
        request.upload_id_marker = page.next_upload_id_marker;
    } while (page.is_truncated);
    EXPECT_EQ(all, "a b b c/1 c/2 ");
    EXPECT_EQ(store_->ListUploads(bucket_, {.prefix = "c", .delimiter = "/", .key_marker = "", .upload_id_marker = ""})
                  ->common_prefixes,
              std::vector<std::string>{"c/"});
    EXPECT_EQ(store_->ListUploads(bucket_, {.prefix = "", .delimiter = "", .key_marker = "b", .upload_id_marker = ""})
                  ->uploads.size(),
              2u);
}

TEST_F(StoreTest, CopiesShareBytesAndTakeNewDigests) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    ASSERT_TRUE(store_->CreateBucket(Bucket("other"), "r").has_value());
    ObjectAttributes attributes;
    attributes.user_metadata = {{"a", "b"}};
    ASSERT_TRUE(store_->Put(bucket_, Key("k"), "bytes", attributes).has_value());
    const auto source = store_->OpenForReading(bucket_, Key("k"));
    ObjectStore::CopyRequest request;
    request.checksum_algorithm = ChecksumAlgorithm::kCrc32;
    const auto copied = store_->Copy(**source, Bucket("other"), Key("c"), request);
    ASSERT_TRUE(copied.has_value()) << copied.error().ToString();
    EXPECT_EQ(copied->etag, (*source)->info().etag);
    EXPECT_EQ(copied->checksum.value, Base64Encode(AsBigEndian(Crc32::Of("bytes"))));
    EXPECT_EQ(store_->Head(Bucket("other"), Key("c"))->attributes.user_metadata, attributes.user_metadata);
    ASSERT_TRUE(store_->Delete(bucket_, Key("k")).has_value());
    EXPECT_EQ(*store_->ReadAll(Bucket("other"), Key("c"), 100), "bytes");
    EXPECT_EQ(FaultIn(store_->Copy(**source, Bucket("nowhere"), Key("c"), {})), Fault::kNoSuchBucket);
    EXPECT_EQ(CountFiles("blobs"), 1u);
}

TEST_F(StoreTest, LinksIntoFoldersAndPutsFiles) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    const std::string path = folder_ + "/file";
    std::ofstream(path) << Pattern(3 * kMiB + 5, 9);
    ASSERT_TRUE(store_->PutFile(bucket_, Key("k"), path, {}).has_value());
    EXPECT_EQ(*Get("k"), Pattern(3 * kMiB + 5, 9));
    const std::string link = folder_ + "/link";
    const auto linked = store_->LinkInto(bucket_, Key("k"), link);
    ASSERT_TRUE(linked.has_value());
    struct stat status {};
    ASSERT_EQ(::stat(link.c_str(), &status), 0);
    EXPECT_EQ(status.st_nlink, 2u);
    EXPECT_EQ(static_cast<std::uint64_t>(status.st_size), linked->size_bytes);
    EXPECT_EQ(store_->LinkInto(bucket_, Key("k"), link).error().code(), ErrorCode::kAlreadyExists);
    ASSERT_TRUE(store_->Delete(bucket_, Key("k")).has_value());
    EXPECT_EQ(std::filesystem::file_size(link), linked->size_bytes);
    // On another file system it is a copy.
    ASSERT_TRUE(Put("k2", "elsewhere").has_value());
    const std::string far = elsewhere_ + "/espalier-link-" + std::to_string(::getpid());
    ASSERT_TRUE(store_->LinkInto(bucket_, Key("k2"), far).has_value());
    std::string text;
    std::getline(std::ifstream(far), text);
    EXPECT_EQ(text, "elsewhere");
    std::filesystem::remove(far);
}

TEST_F(StoreTest, EveryFlippedByteIsNoticed) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    ASSERT_TRUE(Put("k", Pattern(2 * kMiB + 100, 1)).has_value());
    std::string path;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ + "/objects/blobs")) {
        if (entry.is_regular_file()) path = entry.path();
    }
    for (const std::uint64_t at : {std::uint64_t{0}, std::uint64_t{kMiB}, std::uint64_t{2 * kMiB + 99}}) {
        const auto flip = [&] {
            std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
            file.seekg(static_cast<std::streamoff>(at));
            const int byte = file.get();
            file.seekp(static_cast<std::streamoff>(at));
            file.put(static_cast<char>(byte ^ 0x10));
        };
        flip();
        EXPECT_EQ(Get("k").error().code(), ErrorCode::kCorruptData);
        EXPECT_EQ(store_->LinkInto(bucket_, Key("k"), folder_ + "/bad").error().code(), ErrorCode::kCorruptData);
        const auto reader = store_->OpenForReading(bucket_, Key("k"));
        EXPECT_FALSE((*reader)->VerifyRange(at, 1).has_value());
        EXPECT_EQ(store_->Copy(**reader, bucket_, Key("c"), {}).error().code(), ErrorCode::kCorruptData);
        flip();
        EXPECT_TRUE(Get("k").has_value());
    }
    std::filesystem::resize_file(path, kMiB);
    EXPECT_EQ(Get("k").error().code(), ErrorCode::kCorruptData);
    std::filesystem::remove(path);
    EXPECT_EQ(Get("k").error().code(), ErrorCode::kCorruptData);
}

TEST_F(StoreTest, SweepsWhatNoRowRefersTo) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    ASSERT_TRUE(Put("k", "kept").has_value());
    const auto id = store_->CreateUpload(bucket_, Key("u"), {}, ChecksumAlgorithm::kNone, ChecksumType::kComposite);
    ASSERT_TRUE(PutPart("u", *id, 1, "kept too").has_value());
    store_->WaitForSweep();
    std::ofstream(folder_ + "/objects/staging/half") << "x";
    std::ofstream(folder_ + "/objects/blobs/ab/abababababababababababababababab") << "x";
    Reopen(real_fs_);
    EXPECT_EQ(CountFiles("staging"), 0u);
    EXPECT_EQ(store_->WaitForSweep(), 1u);
    EXPECT_EQ(CountFiles("blobs"), 2u);
    EXPECT_EQ(*Get("k"), "kept");
}

// One writer counts up on one key. A reader sees whole versions only, never goes back, and never sees less than what
// was acknowledged before it asked or more than what was begun: that is linearizable for one writer.
TEST_F(StoreTest, ReadersSeeOneWritersVersionsInOrder) {
    ASSERT_TRUE(store_->CreateBucket(bucket_, "r").has_value());
    const auto version = [](int number) { return std::to_string(number) + std::string(5000, 'x'); };
    ASSERT_TRUE(Put("k", version(0)).has_value());
    constexpr int kVersions = 60;
    std::atomic<int> begun = 0;
    std::atomic<int> acknowledged = 0;
    std::atomic<int> problems = 0;
    std::atomic<int> reads = 0;
    {
        std::vector<std::jthread> readers;
        for (int i = 0; i < 4; ++i) {
            readers.emplace_back([&](const std::stop_token& stop) {
                int last = 0;
                while (!stop.stop_requested()) {
                    const int before = acknowledged;
                    const auto bytes = Get("k");
                    const int after = begun;
                    const int seen = bytes ? atoi(bytes->c_str()) : -1;
                    const bool is_right =
                        bytes && *bytes == version(seen) && seen >= std::max(last, before) && seen <= after;
                    if (!is_right) ++problems;
                    last = seen;
                    ++reads;
                }
            });
        }
        for (int number = 1; number <= kVersions; ++number) {
            begun = number;
            ASSERT_TRUE(Put("k", version(number)).has_value());
            acknowledged = number;
        }
    }
    EXPECT_EQ(problems, 0);
    EXPECT_GT(reads, 4);
    EXPECT_EQ(CountFiles("blobs"), 1u);
}

TEST_F(StoreTest, OneProcessAtATime) {
    const auto second = ObjectStore::Open(
        {.folder = folder_ + "/objects", .database = database_.get(), .clock = &clock_, .fs = &real_fs_});
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code(), ErrorCode::kConflict);
}

}  // namespace
}  // namespace espalier::store
