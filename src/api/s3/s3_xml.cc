#include "api/s3/s3_xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <pugixml.hpp>

namespace espalier::api::s3 {
namespace {

constexpr std::string_view kNamespace = "http://s3.amazonaws.com/doc/2006-03-01/";
constexpr std::size_t kDeleteEntriesMax = 1000;

void AppendEscaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                if (static_cast<unsigned char>(c) < 0x20) {
                    out += fmt::format("&#x{:x};", static_cast<unsigned>(c));
                } else {
                    out += c;
                }
        }
    }
}

/// Element names may carry a namespace prefix.
std::string_view LocalName(const pugi::xml_node& node) {
    const std::string_view name = node.name();
    const std::size_t colon = name.find(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

/// The document must have exactly one root of that name.
S3Result<Done> Load(std::string_view text, std::string_view root, pugi::xml_document& document) {
    // Without parse_trim_pcdata: blanks belong to keys. parse_ws_pcdata_single keeps a key of blanks only.
    const unsigned options = pugi::parse_cdata | pugi::parse_escapes | pugi::parse_ws_pcdata_single;
    const auto parsed = document.load_buffer(text.data(), text.size(), options);
    if (!parsed || LocalName(document.document_element()) != root) return S3Error(S3Code::kMalformedXml);
    return Done{};
}

std::optional<std::uint32_t> ParsePartNumber(std::string_view text) {
    std::uint32_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return number;
}

std::string WithoutQuotes(std::string_view etag) {
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
    return std::string(etag);
}

}  // namespace

XmlWriter::XmlWriter(std::string_view root) : text_("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), root_(root) {
    if (!root_.empty()) text_ += fmt::format("<{} xmlns=\"{}\">", root_, kNamespace);
}

XmlWriter& XmlWriter::Open(std::string_view name) {
    text_ += fmt::format("<{}>", name);
    return *this;
}

XmlWriter& XmlWriter::Close(std::string_view name) {
    text_ += fmt::format("</{}>", name);
    return *this;
}

XmlWriter& XmlWriter::Text(std::string_view name, std::string_view text) {
    Open(name);
    AppendEscaped(text_, text);
    return Close(name);
}

XmlWriter& XmlWriter::Number(std::string_view name, std::uint64_t number) {
    return Text(name, std::to_string(number));
}

XmlWriter& XmlWriter::Optional(std::string_view name, std::string_view text) {
    return text.empty() ? *this : Text(name, text);
}

std::string XmlWriter::Finish() && {
    if (!root_.empty()) Close(root_);
    return std::move(text_);
}

std::string ErrorDocument(const S3Error& error, const S3Target& target, std::string_view resource,
                          std::string_view request_id, std::string_view host_id) {
    XmlWriter xml("");
    xml.Open("Error").Text("Code", error.wire_code()).Text("Message", error.message());
    const auto says = [&](std::string_view name) {
        return std::any_of(error.details().begin(), error.details().end(),
                           [&](const auto& detail) { return detail.first == name; });
    };
    if (error.code() == S3Code::kNoSuchKey && !says("Key")) xml.Text("Key", target.key);
    if ((error.code() == S3Code::kNoSuchBucket || error.code() == S3Code::kBucketNotEmpty ||
         error.code() == S3Code::kInvalidBucketName || error.code() == S3Code::kBucketAlreadyOwnedByYou) &&
        !says("BucketName")) {
        xml.Text("BucketName", target.bucket);
    }
    for (const auto& [name, value] : error.details()) xml.Text(name, value);
    xml.Text("Resource", resource).Text("RequestId", request_id).Text("HostId", host_id).Close("Error");
    return std::move(xml).Finish();
}

S3Result<DeleteDocument> ParseDelete(std::string_view text) {
    pugi::xml_document xml;
    TRY(Load(text, "Delete", xml));
    DeleteDocument document;
    for (const pugi::xml_node& child : xml.document_element().children()) {
        if (child.type() != pugi::node_element) continue;
        if (LocalName(child) == "Quiet") {
            document.quiet = std::string_view(child.text().get()) == "true";
            continue;
        }
        if (LocalName(child) != "Object" || document.entries.size() == kDeleteEntriesMax) {
            return S3Error(S3Code::kMalformedXml);
        }
        DeleteEntry entry;
        for (const pugi::xml_node& member : child.children()) {
            if (member.type() != pugi::node_element) continue;
            const std::string value = member.text().get();
            if (LocalName(member) == "Key") {
                entry.key = value;
            } else if (LocalName(member) == "VersionId") {
                entry.version_id = value;
            } else if (LocalName(member) == "ETag") {
                entry.etag = WithoutQuotes(value);
            } else {
                return S3Error(S3Code::kNotImplemented,
                               fmt::format("DeleteObjects by {} is not implemented", LocalName(member)));
            }
        }
        if (entry.key.empty()) return S3Error(S3Code::kMalformedXml);
        document.entries.push_back(std::move(entry));
    }
    if (document.entries.empty()) return S3Error(S3Code::kMalformedXml);
    return document;
}

S3Result<std::vector<store::CompletedPart>> ParseCompleteMultipartUpload(std::string_view text,
                                                                         store::ChecksumAlgorithm algorithm) {
    pugi::xml_document xml;
    TRY(Load(text, "CompleteMultipartUpload", xml));
    const std::string checksum_name = fmt::format("Checksum{}", store::NameOf(algorithm));
    std::vector<store::CompletedPart> parts;
    for (const pugi::xml_node& child : xml.document_element().children()) {
        if (child.type() != pugi::node_element) continue;
        if (LocalName(child) != "Part" || parts.size() == store::kPartNumberMax) {
            return S3Error(S3Code::kMalformedXml);
        }
        store::CompletedPart part;
        bool has_etag = false;
        for (const pugi::xml_node& member : child.children()) {
            const std::string_view value = member.text().get();
            if (LocalName(member) == "PartNumber") {
                const auto number = ParsePartNumber(value);
                if (!number || *number == 0 || *number > store::kPartNumberMax) {
                    return S3Error(S3Code::kInvalidArgument, "PartNumber must be an integer between 1 and 10000");
                }
                part.number = *number;
            } else if (LocalName(member) == "ETag") {
                part.etag = WithoutQuotes(value);
                has_etag = true;
            } else if (LocalName(member) == checksum_name && algorithm != store::ChecksumAlgorithm::kNone) {
                part.checksum = value;
            } else if (LocalName(member).starts_with("Checksum")) {
                return S3Error(S3Code::kInvalidPart);
            }
        }
        if (part.number == 0 || !has_etag) return S3Error(S3Code::kMalformedXml);
        parts.push_back(std::move(part));
    }
    if (parts.empty()) return S3Error(S3Code::kMalformedXml);
    return parts;
}

S3Result<std::string> ParseCreateBucket(std::string_view text) {
    if (text.empty()) return std::string();
    pugi::xml_document xml;
    TRY(Load(text, "CreateBucketConfiguration", xml));
    std::string region;
    for (const pugi::xml_node& child : xml.document_element().children()) {
        if (child.type() != pugi::node_element) continue;
        if (LocalName(child) != "LocationConstraint") {
            return S3Error(S3Code::kNotImplemented,
                           fmt::format("CreateBucket with {} is not implemented", LocalName(child)));
        }
        region = child.text().get();
    }
    return region;
}

}  // namespace espalier::api::s3
