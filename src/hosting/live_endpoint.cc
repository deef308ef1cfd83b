#include "hosting/live_endpoint.h"

#include <functional>

namespace espalier::hosting {

EndpointTable::EndpointTable() : map_(std::make_shared<const Map>()) {}

std::size_t EndpointTable::KeyHash::operator()(const Key& key) const {
    // Names differ much more than accounts and regions, so theirs is the hash; the others only shift it.
    return std::hash<std::string_view>{}(key.name) ^ (std::hash<std::string_view>{}(key.account) << 1) ^
           (std::hash<std::string_view>{}(key.region) << 2);
}

EndpointTable::Key EndpointTable::KeyOf(const LiveEndpoint& endpoint) {
    return {.account = endpoint.scope.account, .region = endpoint.scope.region, .name = endpoint.name};
}

std::shared_ptr<const LiveEndpoint> EndpointTable::Find(std::string_view account, std::string_view region,
                                                        std::string_view name) const {
    const std::shared_ptr<const Map> map = map_.Load();
    const auto found = map->find({.account = account, .region = region, .name = name});
    return found == map->end() ? nullptr : found->second;
}

void EndpointTable::Put(std::shared_ptr<const LiveEndpoint> endpoint) {
    auto map = std::make_shared<Map>(*map_.Load());
    // Erased first: an insertion over the old entry would keep a key whose views die with the old endpoint.
    map->erase(KeyOf(*endpoint));
    const Key key = KeyOf(*endpoint);
    map->emplace(key, std::move(endpoint));
    map_.Store(std::move(map));
}

void EndpointTable::Remove(const meta::Scope& scope, std::string_view name) {
    auto map = std::make_shared<Map>(*map_.Load());
    map->erase({.account = scope.account, .region = scope.region, .name = name});
    map_.Store(std::move(map));
}

}  // namespace espalier::hosting
