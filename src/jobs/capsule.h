// The capsule of a training job: a JSON document in its output prefix from which the identical bytes can be trained
// again.
//
// Nouns: Capsule (the request, the objects each instance read, in the order it read them, and the model's files; all by
// SHA-256), CapsuleChannel, CapsuleObject, InputDigests (the reading of the data, on a thread beside the training).
// Training is a function of the request and the bytes, whatever the threads, so nothing else has to be kept.
// docs/formats.md has the document. Values and pure functions; InputDigests is confined to its thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "jobs/channels.h"
#include "jobs/content_digests.h"
#include "jobs/job_spec.h"
#include "jobs/work_folder.h"

namespace espalier::jobs {

struct CapsuleObject {
    std::string key;
    std::string path;            ///< relative to the channel's folder
    std::vector<int> instances;  ///< which read it, from 1
    ContentDigest content = {};
};

struct CapsuleChannel {
    std::string name;
    std::string bucket;
    std::string prefix;
    std::vector<CapsuleObject> objects;  ///< in the order of their keys, as instances read them
};

struct CapsuleFile {
    std::string name;
    ContentDigest content;
};

struct Capsule {
    std::string job;
    std::string request;         ///< the CreateTrainingJob document without its tags, JSON
    std::string trainer_sha256;  ///< of the program that trained; "" when there was no file of it
    std::vector<CapsuleChannel> channels;
    std::vector<CapsuleFile> checkpoints;  ///< what CheckpointConfig's prefix held at the start
    std::string model_uri;
    std::vector<CapsuleFile> model;  ///< the files of the model, unpacked
};

std::string ToDocument(const Capsule& capsule);
/// kInvalidArgument says what is wrong with the document.
Result<Capsule> ParseCapsule(std::string_view document);

/// The objects of a channel's plan, without their digests.
CapsuleChannel ChannelOf(const ChannelSpec& channel, const ChannelPlan& plan);

/// One digest for what a channel's objects are: of their keys, sizes and digests, in order.
std::string DigestOf(const CapsuleChannel& channel);

/// Sizes and digests of the files below a folder, by name.
Result<std::vector<CapsuleFile>> FilesOf(const std::string& folder, ContentDigests& digests);

/// Fills the digests of a job's inputs from the first copy of each file in its work folder.
class InputDigests {
  public:
    /// Begins at once; `digests` is borrowed.
    InputDigests(std::vector<CapsuleChannel> channels, const JobSpec& spec, const WorkFolder& folder,
                 ContentDigests& digests);
    /// Waits for the end of it.
    Result<std::vector<CapsuleChannel>> Take();

  private:
    std::optional<Result<std::vector<CapsuleChannel>>> result_;  ///< written by the thread
    std::jthread thread_;                                        ///< stopped when this is destroyed
};

/// Where the capsule goes: "<output>/<job>/capsule.json", beside the folder of the model, since that folder may be
/// another job's channel.
store::S3Location CapsuleLocation(const JobSpec& spec);

}  // namespace espalier::jobs
