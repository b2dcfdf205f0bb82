// mailroom-postgres: SQL over RPC.

#include <mailroom/services/postgres/connection.hpp>
#include <mailroom/services/postgres/queries.hpp>

#include <mailroom/mailroom.hpp>

#include <cstddef>
#include <string>

int main(int argc, char** argv) {
  std::string database;
  std::size_t connections = 0;
  return mailroom::run_service(
      argc,
      argv,
      [&](mailroom::node& node) {
        node.serve({.topic = mailroom::postgres::topic, .version = mailroom::postgres::version},
                   mailroom::postgres::queries::described(database, connections))
            .value();
      },
      {.description = "Runs SQL on a PostgreSQL server, many statements at once on one thread.",
       .example = "--listen tcp://127.0.0.1:7001 --database \"host=/run/postgresql dbname=app\"",
       .settings = {{.key = "database",
                     .type = mailroom::option_type::text,
                     .fallback = "",
                     .help = "libpq's connection string; what it leaves out, PGHOST, PGUSER, "
                             "PGPASSFILE and so on say",
                     .secret = true},
                    {.key = "connections",
                     .type = mailroom::option_type::integer,
                     .fallback = "8",
                     .help = "Connections at most; they are opened when needed",
                     .minimum = 1,
                     .maximum = 1000}},
       .configured = [&](const mailroom::config& settings) {
         database = settings.text("database");
         connections = static_cast<std::size_t>(settings.integer("connections"));
         mailroom::postgres::check_settings(database).value();
       }});
}
