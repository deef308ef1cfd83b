// Amazon S3 over store::ObjectStore: takes a request apart, finds its operation, sends the answer.
//
// Path style and virtual-host style; every operation of operations.cc. Bodies of uploads are pulled in pieces, objects
// are sent from their files: memory per request is one buffer. Before an object's bytes go out their checksums are
// compared, so a damaged block is an InternalError and a log line, never wrong bytes.
// Source: Amazon S3 API reference; contracts/api.md 1.6-1.9, 2.1-2.4, 3.12. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/service.h"
#include "base/clock.h"

namespace espalier::store {
class ObjectStore;
}

namespace espalier::api::s3 {

class S3Service final : public Service {
  public:
    struct Options {
        store::ObjectStore* store = nullptr;  ///< borrowed
        const Clock* clock = nullptr;         ///< borrowed
        /// Names of this server, lower case and without port: "bucket.<name>" in Host names a bucket.
        std::vector<std::string> host_names = {"localhost", "s3.amazonaws.com"};
    };
    explicit S3Service(Options options);

    http::BodyPlan Plan(const http::RequestHead& head) override;
    void Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) override;

  private:
    const Options options_;
};

}  // namespace espalier::api::s3
