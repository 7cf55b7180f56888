#include "common/sql/object_definition.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/sql/one_statement.h"
#include "common/sql/parser.h"
#include "common/sql/type_name.h"

namespace curlew::sql {
namespace {

using google::protobuf::Message;
using pg_query::Node;
using Nodes = google::protobuf::RepeatedPtrField<Node>;

// Bits of CreateTrigStmt (TRIGGER_TYPE_BEFORE of pg_trigger.h).
constexpr int kBefore = 1 << 1, kInsteadOf = 1 << 6;

// Trigger functions of PostgreSQL's own.
bool IsBuiltInTriggerFunction(absl::string_view name) {
  return name == "suppress_redundant_updates_trigger" || name == "tsvector_update_trigger" ||
         name == "tsvector_update_trigger_column";
}

absl::StatusOr<TableName> ToName(const Nodes& parts) {
  if (parts.size() == 1) return TableName{"public", parts[0].string().sval()};
  if (parts.size() == 2) return TableName{parts[0].string().sval(), parts[1].string().sval()};
  return absl::InvalidArgumentError("a name has more than two parts; write name or schema.name");
}

// `types` as a signature of `name`.
absl::StatusOr<std::string> Signature(const TableName& name,
                                      const std::vector<const pg_query::TypeName*>& types) {
  std::vector<std::string> printed;
  for (const pg_query::TypeName* type : types) {
    if (type->pct_type()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name.Quoted(),
                       ": the type of an argument is written as %TYPE, which only a database "
                       "can tell; write the type itself"));
    }
    printed.push_back(ArgumentType(*type));
    if (printed.back().empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          name.Quoted(), ": a type of an argument has more than two parts; write type or schema.type"));
    }
  }
  return absl::StrCat(name.Quoted(), "(", absl::StrJoin(printed, ", "), ")");
}

// A type of a result, in one spelling; lengths do not count there.
std::string ReturnedType(const pg_query::TypeName& type) {
  if (type.names().empty()) return "nothing";
  if (type.pct_type()) return type.ShortDebugString();
  const std::string argument = ArgumentType(type);
  return std::string(absl::StripPrefix(argument, "public."));
}

// [start, end) of a part of the text, and what comes in its place.
struct Replacement {
  int start = 0;
  int end = 0;
  std::string text;
};

// `replacements` in the order of their places.
SqlText Replaced(const std::string& text, const std::vector<Replacement>& replacements) {
  std::string out;
  int at = 0;
  for (const Replacement& r : replacements) {
    absl::StrAppend(&out, text.substr(at, r.start - at), r.text);
    at = r.end;
  }
  return SqlText::Verified(absl::StrCat(out, text.substr(at)));
}

bool IsWord(const OneStatement& one, size_t i, absl::string_view word) {
  return i < one.tokens.size() && absl::EqualsIgnoreCase(one.Word(one.tokens[i]), word);
}

// The place of a name that begins with token `from` and ends before "(".
absl::StatusOr<Replacement> PlaceBeforeParenthesis(const OneStatement& one, size_t from, std::string text) {
  size_t last = from;
  while (last + 1 < one.tokens.size() && !IsWord(one, last + 1, "(")) ++last;
  if (from >= one.tokens.size() || last + 1 >= one.tokens.size()) {
    return absl::InvalidArgumentError(absl::StrCat("no name before \"(\": ", base::Utf8Prefix(one.text, 80)));
  }
  return Replacement{one.tokens[from].start, one.tokens[last].end, std::move(text)};
}

// The first token that is one of two keywords; the number of tokens where there is none.
size_t FindWord(const OneStatement& one, absl::string_view word, absl::string_view other, size_t from) {
  while (from < one.tokens.size() && !IsWord(one, from, word) && !IsWord(one, from, other)) ++from;
  return from;
}

// The place of "name" or "schema.name" that begins at byte `start`.
absl::StatusOr<Replacement> PlaceOfName(const OneStatement& one, int start, std::string text) {
  size_t i = 0;
  while (i < one.tokens.size() && one.tokens[i].start != start) ++i;
  if (i == one.tokens.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the place of a name cannot be found: ", base::Utf8Prefix(one.text, 80)));
  }
  while (IsWord(one, i + 1, ".")) i += 2;
  return Replacement{start, one.tokens[i].end, std::move(text)};
}

// The columns of the row that WHEN uses.
void CollectColumns(const Message& tree, std::set<std::string>* columns) {
  Walk(tree, [&](const Message& node) {
    if (node.GetDescriptor() != pg_query::ColumnRef::descriptor()) return true;
    const auto& fields = static_cast<const pg_query::ColumnRef&>(node).fields();
    if (fields.size() >= 2 && fields[1].has_string()) columns->insert(fields[1].string().sval());
    return false;
  });
}

absl::StatusOr<pg_query::ObjectWithArgs> ReadFunctionName(absl::string_view text) {
  auto refuse = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not the name of one function: ", why,
                                                   "; write schema.name(integer, text), the types of its "
                                                   "arguments in parentheses, () where there are none"));
  };
  const auto tree = Parse(absl::StrCat("DROP ROUTINE ", text));
  if (!tree.ok()) return refuse(tree.status().message());
  const pg_query::DropStmt& drop =
      tree->stmts_size() == 1 ? tree->stmts(0).stmt().drop_stmt() : pg_query::DropStmt::default_instance();
  if (drop.objects_size() != 1 || drop.missing_ok() || drop.behavior() == pg_query::DROP_CASCADE) {
    return refuse("more than a name stands there");
  }
  const pg_query::ObjectWithArgs& object = drop.objects(0).object_with_args();
  if (object.args_unspecified()) return refuse("the types of its arguments are missing");
  return object;
}

}  // namespace

absl::StatusOr<FunctionDefinition> ParseFunction(absl::string_view text) {
  ASSIGN_OR_RETURN(const OneStatement one, ParseOneStatement(text, "CREATE FUNCTION or CREATE PROCEDURE"));
  if (!one.stmt.has_create_function_stmt()) {
    return absl::InvalidArgumentError(
        absl::StrCat("not CREATE FUNCTION or CREATE PROCEDURE: ", base::Utf8Prefix(one.text, 80)));
  }
  const pg_query::CreateFunctionStmt& stmt = one.stmt.create_function_stmt();
  FunctionDefinition function;
  ASSIGN_OR_RETURN(function.name, ToName(stmt.funcname()));
  std::vector<const pg_query::TypeName*> types;
  std::vector<std::string> results;
  for (const Node& node : stmt.parameters()) {
    const pg_query::FunctionParameter& p = node.function_parameter();
    const bool out = p.mode() == pg_query::FUNC_PARAM_OUT || p.mode() == pg_query::FUNC_PARAM_TABLE;
    if (!out) {
      types.push_back(&p.arg_type());
      function.arguments.push_back(p.name());
    }
    if (out || p.mode() == pg_query::FUNC_PARAM_INOUT) {
      results.push_back(
          absl::StrCat(Ident(p.name()), p.name().empty() ? "" : " ", ReturnedType(p.arg_type())));
    }
  }
  const bool set = stmt.return_type().setof() ||
                   std::any_of(stmt.parameters().begin(), stmt.parameters().end(), [](const Node& p) {
                     return p.function_parameter().mode() == pg_query::FUNC_PARAM_TABLE;
                   });
  std::vector<std::string> printed;
  for (const pg_query::TypeName* type : types) printed.push_back(ArgumentTypeOfIdentity(*type));
  function.identity = absl::StrCat(function.name.Quoted(), "(", absl::StrJoin(printed, ","), ")");
  function.result = absl::StrCat(set ? "SETOF " : "",
                                 results.empty() ? ReturnedType(stmt.return_type())
                                                 : absl::StrCat("(", absl::StrJoin(results, ", "), ")"));
  ASSIGN_OR_RETURN(function.signature, Signature(function.name, types));
  if (stmt.has_sql_body()) function.language = "sql";
  for (const Node& option : stmt.options()) {
    if (option.def_elem().defname() == "language")
      function.language = option.def_elem().arg().string().sval();
  }
  if (function.language.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(function.signature, ": no LANGUAGE is given; add LANGUAGE plpgsql, or what it is"));
  }
  function.or_replace = stmt.replace();
  function.is_procedure = stmt.is_procedure();
  ASSIGN_OR_RETURN(
      const Replacement name,
      PlaceBeforeParenthesis(one, FindWord(one, "FUNCTION", "PROCEDURE", 0) + 1, function.name.Quoted()));
  function.statement = Replaced(one.text, {name});
  return function;
}

absl::StatusOr<std::string> ParseFunctionName(absl::string_view text) {
  ASSIGN_OR_RETURN(const pg_query::ObjectWithArgs object, ReadFunctionName(text));
  ASSIGN_OR_RETURN(const TableName name, ToName(object.objname()));
  std::vector<const pg_query::TypeName*> types;
  for (const Node& type : object.objargs()) types.push_back(&type.type_name());
  return Signature(name, types);
}

absl::StatusOr<TableName> NameOfFunction(absl::string_view text) {
  ASSIGN_OR_RETURN(const pg_query::ObjectWithArgs object, ReadFunctionName(text));
  return ToName(object.objname());
}

absl::StatusOr<TriggerDefinition> ParseTrigger(absl::string_view text) {
  ASSIGN_OR_RETURN(const OneStatement one, ParseOneStatement(text, "CREATE TRIGGER"));
  if (!one.stmt.has_create_trig_stmt()) {
    return absl::InvalidArgumentError(absl::StrCat("not CREATE TRIGGER: ", base::Utf8Prefix(one.text, 80)));
  }
  const pg_query::CreateTrigStmt& stmt = one.stmt.create_trig_stmt();
  TriggerDefinition trigger;
  trigger.name = stmt.trigname();
  if (!stmt.relation().catalogname().empty()) {
    return absl::InvalidArgumentError("a name has more than two parts; write name or schema.name");
  }
  trigger.table = {stmt.relation().schemaname().empty() ? "public" : stmt.relation().schemaname(),
                   stmt.relation().relname()};
  ASSIGN_OR_RETURN(trigger.function, ToName(stmt.funcname()));
  if (stmt.funcname_size() == 1 && IsBuiltInTriggerFunction(trigger.function.name)) {
    trigger.function.schema = "pg_catalog";
  }
  std::set<std::string> columns;
  for (const Node& column : stmt.columns()) columns.insert(column.string().sval());
  CollectColumns(stmt.when_clause(), &columns);
  trigger.columns.assign(columns.begin(), columns.end());
  trigger.before_row = stmt.row() && (stmt.timing() & kBefore) != 0;
  trigger.instead_of = (stmt.timing() & kInsteadOf) != 0;
  trigger.or_replace = stmt.replace();
  trigger.is_constraint = stmt.isconstraint();
  ASSIGN_OR_RETURN(const Replacement table,
                   PlaceOfName(one, stmt.relation().location(), trigger.table.Quoted()));
  // EXECUTE is no reserved word, so a column may have that name; the function's is the last one.
  size_t execute = 0;
  for (size_t i = 0; i + 1 < one.tokens.size(); ++i) {
    if (IsWord(one, i, "EXECUTE") && (IsWord(one, i + 1, "FUNCTION") || IsWord(one, i + 1, "PROCEDURE"))) {
      execute = i;
    }
  }
  ASSIGN_OR_RETURN(const Replacement function,
                   PlaceBeforeParenthesis(one, execute + 2, trigger.function.Quoted()));
  trigger.statement = Replaced(one.text, {table, function});
  return trigger;
}

}  // namespace curlew::sql
