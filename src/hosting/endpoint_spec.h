// What hosting remembers of models, endpoint configurations and endpoints: the documents of meta::Resources, typed.
//
// Nouns: ModelSpec (a container and where its data lie), VariantSpec, CaptureSpec, AsyncSpec, EndpointConfigSpec,
// DeployedVariant and EndpointSpec (what an endpoint serves, complete: it needs neither the model nor the configuration
// any more).
// `echo` members are JSON texts of requests that hosting keeps for Describe and does not look into.
// docs/formats.md describes the JSON. Plain values.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace espalier::hosting {

/// Of a container that serves every archive below a prefix (Mode MultiModel).
struct MultiModelSpec {
    bool keeps_models = true;  ///< ModelCacheSetting Enabled
};

struct ModelSpec {
    std::string image;
    std::string model_data_url;  ///< as the request spelled it; a prefix when multi_model is set
    std::map<std::string, std::string> environment;
    std::optional<MultiModelSpec> multi_model = std::nullopt;
    std::string echo = "{}";
    std::string archive_id = "";   ///< SHA-256 of the archive when the model was made; "" for models of older servers
    std::string package_arn = "";  ///< of the model package it was made of, or ""
};

/// Of a variant without instances: how much memory its model may take, and how many requests it answers at once.
struct ServerlessSpec {
    int memory_mb = 1024;
    int max_concurrency = 1;
    int provisioned_concurrency = 0;  ///< 0 = none
};

struct VariantSpec {
    std::string name;
    std::string model_name;
    double weight = 1.0;
    int num_instances = 1;  ///< 0 when it is serverless
    std::optional<ServerlessSpec> serverless = std::nullopt;
};

/// kInvalidArgument for limits that are none, or that contradict each other.
Result<void> CheckServerless(const ServerlessSpec& serverless);
/// kResourceLimit when a model of that size is too large for the variant.
Result<void> CheckMemory(const VariantSpec& variant, std::uint64_t model_bytes);

struct CaptureSpec {
    bool enabled = true;
    int sampling_percent = 0;
    std::string destination_uri;
    bool input = false;
    bool output = false;
    std::vector<std::string> csv_content_types;
    std::vector<std::string> json_content_types;
};

/// Of endpoints that are invoked asynchronously, and in no other way.
struct AsyncSpec {
    std::string output_uri;
    std::string failure_uri = "";     ///< "" = failures are not kept
    int concurrent_per_instance = 0;  ///< 0 = as many as of other endpoints
    std::string echo = "{}";
};

struct EndpointConfigSpec {
    std::vector<VariantSpec> production;
    std::vector<VariantSpec> shadow;
    std::optional<CaptureSpec> capture;
    std::optional<AsyncSpec> async = std::nullopt;
    std::string echo = "{}";
};

struct DeployedVariant {
    VariantSpec spec;  ///< weight and num_instances are the current ones
    std::string image;
    std::string model_data_url;
    std::map<std::string, std::string> environment;
    std::optional<MultiModelSpec> multi_model = std::nullopt;
    /// On the ArchiveShelf; "" until it has been loaded for the first time, and of multi-model variants.
    std::string archive_id;
    UnixMillis resolved_at = 0;
};

struct PendingUpdate;

struct EndpointSpec {
    std::string config_name;
    std::vector<DeployedVariant> production;
    std::vector<DeployedVariant> shadow;
    std::optional<CaptureSpec> capture;
    std::optional<AsyncSpec> async = std::nullopt;
    std::string failure_reason;                              ///< of status Failed, or of an update that was rolled back
    std::string deployment_echo;                             ///< LastDeploymentConfig, "" when none was given
    std::shared_ptr<const PendingUpdate> pending = nullptr;  ///< of status Updating and RollingBack
};

/// An update that is on its way (rollout_plan.h).
struct PendingUpdate {
    EndpointSpec next;  ///< what the endpoint becomes; has no pending of its own
    UnixMillis started_at = 0;
    UnixMillis step_at = 0;       ///< when the step began
    std::size_t step = 0;         ///< of RolloutPlan::forward
    double share = 0;             ///< of the traffic that the new fleet has now
    std::string rollback_reason;  ///< "" while it goes forward
};

std::string ToDocument(const ModelSpec& spec);
std::string ToDocument(const EndpointConfigSpec& spec);
std::string ToDocument(const EndpointSpec& spec);
/// kCorruptData when the text is not what ToDocument wrote.
Result<ModelSpec> ParseModelSpec(std::string_view document);
Result<EndpointConfigSpec> ParseEndpointConfigSpec(std::string_view document);
Result<EndpointSpec> ParseEndpointSpec(std::string_view document);

}  // namespace espalier::hosting
