// mailroom-collector: the metering service.

#include <mailroom/services/metering/collector.hpp>

#include <mailroom/mailroom.hpp>

#include <memory>
#include <string>

using mailroom::metering::collector;
using mailroom::metering::store;

int main(int argc, char** argv) {
  std::string database;
  bool quiet = false;
  return mailroom::run_service(
      argc,
      argv,
      [&](mailroom::node& node) {
        auto opened = std::make_shared<store>(store::open(database).value());
        node.serve({.topic = mailroom::metering::topic, .version = mailroom::metering::version},
                   mailroom::endpoint<collector>(std::move(opened), quiet)
                       .method("record", &collector::record, mailroom::idempotent)
                       .method("statistics", &collector::statistics, mailroom::idempotent)
                       .method("samples", &collector::samples, mailroom::idempotent))
            .value();
      },
      {.description = "Keeps samples of meters in SQLite and answers with their statistics.",
       .example = "--listen tcp://127.0.0.1:7001 --database metering.db",
       .settings = {{.key = "database",
                     .type = mailroom::option_type::text,
                     .fallback = "metering.db",
                     .help = "The SQLite file; it is made if there is none"},
                    {.key = "quiet",
                     .type = mailroom::option_type::boolean,
                     .fallback = "false",
                     .help = "Do not show what arrives"}},
       .configured = [&](const mailroom::config& settings) {
         database = settings.text("database");
         if (database.empty()) {
           throw mailroom::call_error(
               mailroom::error(mailroom::errc::invalid_value,
                               settings.origin("database") + ": the path of a file is wanted"));
         }
         quiet = settings.boolean("quiet");
       }});
}
