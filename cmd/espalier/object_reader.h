// Objects for a command of the terminal: out of a folder, or from a server through S3.
//
// A folder holds <bucket>/<key>, as `aws s3 sync s3://BUCKET FOLDER/BUCKET` leaves it. A server is asked with signed
// GETs, one connection each, over plain HTTP. Confined to one thread.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace espalier::cmd {

class ObjectReader {
  public:
    virtual ~ObjectReader() = default;
    /// Puts the object's bytes into a new file. kNotFound when there is no such object.
    virtual Result<void> Read(const std::string& bucket, const std::string& key, const std::string& path) = 0;
};

std::unique_ptr<ObjectReader> ReadFolder(std::string folder);

/// AWS_ENDPOINT_URL, AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment, as
/// `espalier env` prints them. kInvalidArgument says what is missing.
Result<std::unique_ptr<ObjectReader>> ReadServer();

}  // namespace espalier::cmd
