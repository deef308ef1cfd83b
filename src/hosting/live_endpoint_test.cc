#include "hosting/live_endpoint.h"

#include <gtest/gtest.h>

namespace espalier::hosting {
namespace {

std::shared_ptr<const LiveEndpoint> Endpoint(std::string account, std::string region, std::string name) {
    auto endpoint = std::make_shared<LiveEndpoint>();
    endpoint->scope = {.account = std::move(account), .region = std::move(region)};
    endpoint->name = std::move(name);
    return endpoint;
}

TEST(EndpointTable, FindsByAccountRegionAndExactName) {
    EndpointTable table;
    EXPECT_EQ(table.Find("1", "r", "e"), nullptr);
    auto endpoint = Endpoint("1", "r", "My-Endpoint");
    table.Put(endpoint);
    EXPECT_EQ(table.Find("1", "r", "My-Endpoint"), endpoint);
    EXPECT_EQ(table.Find("2", "r", "My-Endpoint"), nullptr);
    EXPECT_EQ(table.Find("1", "q", "My-Endpoint"), nullptr);
    EXPECT_EQ(table.Find("1", "r", "my-endpoint"), nullptr);
}

TEST(EndpointTable, ReplacesAndRemovesAndLetsGo) {
    EndpointTable table;
    std::weak_ptr<const LiveEndpoint> first_watch;
    {
        auto first = Endpoint("1", "r", "e");
        first_watch = first;
        table.Put(first);
    }
    table.Put(Endpoint("1", "r", "other"));
    auto second = Endpoint("1", "r", "e");
    table.Put(second);
    EXPECT_TRUE(first_watch.expired());
    EXPECT_EQ(table.Find("1", "r", "e"), second);
    table.Remove({"1", "r"}, "e");
    EXPECT_EQ(table.Find("1", "r", "e"), nullptr);
    EXPECT_NE(table.Find("1", "r", "other"), nullptr);
    table.Remove({"1", "r"}, "never-there");
}

}  // namespace
}  // namespace espalier::hosting
