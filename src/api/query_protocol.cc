#include "api/query_protocol.h"

#include <fmt/format.h>

#include <utility>

#include "api/auth/canonical.h"
#include "base/encoding.h"

namespace espalier::api {

std::optional<QueryForm> ReadQueryForm(const http::Exchange& exchange, std::size_t parameters_max) {
    const http::RequestHead& head = exchange.head();
    QueryForm form;
    for (const auto& [raw_name, raw_value] : SplitQuery(head.method == "GET" ? head.raw_query() : exchange.body())) {
        std::optional<std::string> name = FormDecode(raw_name);
        std::optional<std::string> value = FormDecode(raw_value);
        if (!name || !value || form.size() >= parameters_max) return std::nullopt;
        form.try_emplace(*std::move(name), *std::move(value));
    }
    return form;
}

std::string_view QueryParameter(const QueryForm& form, std::string_view name) {
    const auto found = form.find(name);
    return found == form.end() ? std::string_view() : std::string_view(found->second);
}

std::string QueryEnvelope(std::string_view action, std::string_view xml_namespace,
                          const std::optional<std::string>& result, std::string_view request_id) {
    const std::string element = result ? fmt::format("<{0}Result>{1}</{0}Result>", action, *result) : "";
    return fmt::format(
        "<{0}Response xmlns=\"{1}\">{2}<ResponseMetadata><RequestId>{3}</RequestId></ResponseMetadata></{0}Response>",
        action, xml_namespace, element, request_id);
}

http::Response QueryAnswer(std::string xml) {
    http::Response response{.status = 200, .headers = {}, .body = std::move(xml)};
    response.headers.Add("Content-Type", "text/xml");
    return response;
}

}  // namespace espalier::api
