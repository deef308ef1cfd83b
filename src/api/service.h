// What one AWS service is to the front door.
//
// The front door tells services apart (contracts/api.md 1.4), checks the signature, checks the hash of buffered bodies
// against the signed one, and hands the request on. It adds the request id header to whatever the service answers
// (x-amz-request-id for S3, x-amzn-RequestId elsewhere), so services need `request_id` only where it stands in a body.
#pragma once

#include <memory>
#include <string>

#include "api/auth/principal.h"
#include "http/exchange.h"

namespace espalier::api {

class Service {
  public:
    virtual ~Service() = default;

    /// How the body of this request is to be had. On an I/O thread, before the signature is checked: cheap, no
    /// blocking.
    virtual http::BodyPlan Plan(const http::RequestHead& head) = 0;

    /// Answers, now or later, by exchange->Send. Runs where the plan said: kBuffered on the I/O thread (must not
    /// block), else on a worker. The signature has been verified. A kStreamed body has not been looked at: the service
    /// checks it against principal.payload_mode. Thread-safe.
    virtual void Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string request_id) = 0;
};

}  // namespace espalier::api
