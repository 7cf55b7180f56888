#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/deparse.h"
#include "common/lint/known_text.h"
#include "common/lint/statements.h"
#include "common/sql/identifier.h"
#include "common/sql/parser.h"

namespace curlew::lint {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;
using pg_query::Node;

// Functions in functions are followed no deeper.
constexpr int kMostDepth = 5;

const Value* Field(const Struct& object, const std::string& key) {
  const auto it = object.fields().find(key);
  return it == object.fields().end() ? nullptr : &it->second;
}

// A statement in a body: its places are none of the script's, and variables look like columns to a server.
absl::Status Nested(Effects& e, const Node& statement, absl::string_view text) {
  Explainer* const explainer = e.session.explainer;
  const absl::string_view outer = e.text;
  const int place = e.place;
  e.session.explainer = nullptr;
  e.text = "";
  const absl::Status status = LintStatement(e, statement, text);
  e.session.explainer = explainer;
  e.text = outer;
  e.place = place;
  return status;
}

// Walks what PL/pgSQL's compiler made of a body: statements are objects of one key, "PLpgSQL_stmt_...".
class Body {
 public:
  // `arguments` are the texts of a function's arguments that are known, by their place.
  Body(Effects* e, const std::map<size_t, std::string>& arguments) : e_(*e), arguments_(arguments) {}

  // A whole function: its variables, then what it does.
  absl::Status RunFunction(const Struct& function) {
    if (const Value* datums = Field(function, "datums")) {
      for (const Value& datum : datums->list_value().values()) Declare(datum.struct_value());
    }
    const Value* action = Field(function, "action");
    return action == nullptr ? absl::OkStatus() : Run(*action);
  }

  absl::Status Run(const Value& value) {
    if (value.kind_case() == Value::kListValue) {
      for (const Value& item : value.list_value().values()) {
        if (!returned_) RETURN_IF_ERROR(Run(item));
      }
      return absl::OkStatus();
    }
    if (value.kind_case() != Value::kStructValue) return absl::OkStatus();
    for (const auto& [key, inner] : value.struct_value().fields()) {
      if (key == "PLpgSQL_stmt_commit" || key == "PLpgSQL_stmt_rollback") {
        e_.transactional = false;
      } else if (key == "PLpgSQL_stmt_execsql") {
        RETURN_IF_ERROR(Sql(QueryOf(inner, "sqlstmt")));
      } else if (key == "PLpgSQL_stmt_dynexecute" || key == "PLpgSQL_stmt_dynfors") {
        RETURN_IF_ERROR(Dynamic(QueryOf(inner, "query")));
        if (key == "PLpgSQL_stmt_dynfors") RETURN_IF_ERROR(Child(inner, "body"));
      } else if (key == "PLpgSQL_stmt_perform") {
        RETURN_IF_ERROR(Sql(QueryOf(inner, "expr")));
      } else if (key == "PLpgSQL_stmt_fors") {
        RETURN_IF_ERROR(LoopOverRows(inner.struct_value()));
      } else if (key == "PLpgSQL_stmt_foreach_a") {
        RETURN_IF_ERROR(LoopOverArray(inner.struct_value()));
      } else if (key == "PLpgSQL_stmt_loop" || key == "PLpgSQL_stmt_while" || key == "PLpgSQL_stmt_fori") {
        RETURN_IF_ERROR(Branch(Field(inner.struct_value(), "body"), false));
      } else if (key == "PLpgSQL_stmt_block") {
        RETURN_IF_ERROR(Block(inner.struct_value()));
      } else if (key == "PLpgSQL_stmt_assign") {
        Assign(inner.struct_value());
        RETURN_IF_ERROR(Run(inner));
      } else if (key == "PLpgSQL_stmt_if") {
        RETURN_IF_ERROR(If(inner.struct_value()));
      } else if (key == "PLpgSQL_stmt_call") {
        RETURN_IF_ERROR(Sql(QueryOf(inner, "expr")));
      } else if (key == "PLpgSQL_stmt_return") {
        returned_ = true;
      } else if (key == "PLpgSQL_expr") {
        RETURN_IF_ERROR(Expression(QueryOfExpression(inner)));
      } else {
        RETURN_IF_ERROR(Run(inner));
      }
    }
    return absl::OkStatus();
  }

 private:
  static std::string QueryOfExpression(const Value& expression) {
    const Value* query = Field(expression.struct_value(), "query");
    return query == nullptr ? "" : query->string_value();
  }
  static std::string QueryIn(const Struct& statement, const std::string& key) {
    const Value* expression = Field(statement, key);
    if (expression == nullptr) return "";
    const Value* inner = Field(expression->struct_value(), "PLpgSQL_expr");
    return inner == nullptr ? "" : QueryOfExpression(*inner);
  }
  static std::string QueryOf(const Value& statement, const std::string& key) {
    return QueryIn(statement.struct_value(), key);
  }
  static std::string TextIn(const Struct& object, const std::string& key) {
    const Value* text = Field(object, key);
    return text == nullptr ? "" : text->string_value();
  }
  void Declare(const Struct& datum) {
    std::string name;
    for (const auto& [kind, inner] : datum.fields()) {
      name = TextIn(inner.struct_value(), "refname");
      std::string known;
      const auto value = ParseExpression(QueryIn(inner.struct_value(), "default_val"));
      if (value.has_value() && KnownText(*value, variables_, &known)) variables_[name] = known;
    }
    if (const auto it = arguments_.find(names_.size()); it != arguments_.end()) variables_[name] = it->second;
    names_.push_back(name);
  }

  absl::Status Child(const Value& statement, const std::string& key) {
    const Value* child = Field(statement.struct_value(), key);
    return child == nullptr ? absl::OkStatus() : Run(*child);
  }

  // A statement, run as it stands.
  absl::Status Sql(const std::string& text) {
    auto tree = sql::Parse(text);
    if (!tree.ok()) return absl::OkStatus();
    for (const auto& raw : tree->stmts()) {
      if (IsTopLevelOnly(raw.stmt())) {
        e_.transactional = false;
        return e_.Fail("25001", "the statement cannot be executed from a function");
      }
      const absl::Status status = Nested(e_, raw.stmt(), text);
      RETURN_IF_ERROR(status);
    }
    return absl::OkStatus();
  }

  // EXECUTE of a text: known where it is a constant, or format() of constants.
  absl::Status Dynamic(const std::string& expression) {
    const auto tree = ParseExpression(expression);
    std::string text;
    if (tree.has_value() && KnownText(*tree, variables_, &text)) return Sql(text);
    e_.Warn("unknown-effect", Severity::kWarning,
            absl::StrCat("it runs SQL that it puts together: EXECUTE ", expression));
    return absl::OkStatus();
  }

  // A body that goes on behind a RETURN that is always reached does not.
  absl::Status Branch(const Value* body, bool always) {
    if (body == nullptr) return absl::OkStatus();
    RETURN_IF_ERROR(Run(*body));
    if (!always) returned_ = false;
    return absl::OkStatus();
  }

  // Conditions over the catalogue are asked of the server, where there is one; else each way may be taken.
  absl::Status If(const Struct& statement) {
    const std::string condition = QueryIn(statement, "cond");
    const std::optional<bool> truth = Ask(condition);
    if (!truth.has_value()) RETURN_IF_ERROR(Expression(condition));
    if (truth.value_or(true)) RETURN_IF_ERROR(Branch(Field(statement, "then_body"), truth.has_value()));
    if (truth.has_value() && *truth) return absl::OkStatus();
    RETURN_IF_ERROR(Branch(Field(statement, "elsif_list"), false));
    return Branch(Field(statement, "else_body"),
                  truth.has_value() && Field(statement, "elsif_list") == nullptr);
  }

  std::optional<bool> Ask(const std::string& condition) {
    if (e_.session.explainer == nullptr || e_.session.changed) return std::nullopt;
    const auto rows = e_.session.explainer->Rows(absl::StrCat("SELECT (", condition, ")::boolean AS holds"));
    if (!rows.has_value() || rows->size() != 1) return std::nullopt;
    return rows->front().at("holds") == "t";
  }

  // A loop over the catalogue runs for each row that the server has now; over others, once for all.
  absl::Status LoopOverRows(const Struct& loop) {
    const std::string query = QueryIn(loop, "query");
    RETURN_IF_ERROR(Sql(query));
    std::optional<CatalogueRows> rows;
    if (e_.session.explainer != nullptr && !e_.session.changed) rows = e_.session.explainer->Rows(query);
    const Value* body = Field(loop, "body");
    if (!rows.has_value()) return Branch(body, false);
    const std::vector<std::string> names = LoopVariables(loop);
    const std::map<std::string, std::string> before = variables_;
    for (const auto& row : *rows) {
      for (const auto& [column, value] : row) {
        for (const std::string& name : names) variables_[name + "." + column] = value;
        if (names.size() == 1 && row.size() == 1) variables_[names[0]] = value;
      }
      RETURN_IF_ERROR(Branch(body, false));
    }
    variables_ = before;
    return absl::OkStatus();
  }

  static std::vector<std::string> LoopVariables(const Struct& loop) {
    std::vector<std::string> names;
    const Value* variable = Field(loop, "var");
    if (variable == nullptr) return names;
    for (const auto& [kind, inner] : variable->struct_value().fields()) {
      const Value* fields = Field(inner.struct_value(), "fields");
      if (fields == nullptr) {
        names.push_back(TextIn(inner.struct_value(), "refname"));
        continue;
      }
      for (const Value& field : fields->list_value().values())
        names.push_back(TextIn(field.struct_value(), "name"));
    }
    return names;
  }

  absl::Status LoopOverArray(const Struct& loop) {
    const auto array = ParseExpression(QueryIn(loop, "expr"));
    const std::string name = NameOf(loop);
    const Value* body = Field(loop, "body");
    if (!array.has_value() || !array->has_a_array_expr()) {
      variables_.erase(name);
      return Branch(body, false);
    }
    for (const Node& element : array->a_array_expr().elements()) {
      std::string text;
      if (KnownText(element, variables_, &text)) {
        variables_[name] = text;
      } else {
        variables_.erase(name);
      }
      RETURN_IF_ERROR(Branch(body, false));
    }
    variables_.erase(name);
    return absl::OkStatus();
  }

  // variable := expression.
  void Assign(const Struct& statement) {
    const std::string text = QueryIn(statement, "expr");
    const size_t sign = text.find(":=");
    const auto value = ParseExpression(sign == std::string::npos ? text : text.substr(sign + 2));
    std::string known;
    if (value.has_value() && KnownText(*value, variables_, &known)) {
      variables_[NameOf(statement)] = known;
    } else {
      variables_.erase(NameOf(statement));
    }
  }

  // A block that catches errors ends well, one way or the other.
  absl::Status Block(const Struct& block) {
    const Value* body = Field(block, "body");
    const absl::Status status = body == nullptr ? absl::OkStatus() : Run(*body);
    const Value* exceptions = Field(block, "exceptions");
    if (status.ok() || exceptions == nullptr) return status;
    return Branch(exceptions, false);
  }

  std::string NameOf(const Struct& statement) const {
    const Value* number = Field(statement, "varno");
    const size_t index = number == nullptr ? 0 : static_cast<size_t>(number->number_value());
    return index < names_.size() ? names_[index] : "";
  }

  absl::Status Expression(const std::string& text) {
    const auto tree = ParseExpression(text);
    if (!tree.has_value()) return absl::OkStatus();
    bool reads = false;
    sql::Walk(*tree, [&](const google::protobuf::Message& m) {
      reads |= m.GetDescriptor() == pg_query::SubLink::descriptor() ||
               m.GetDescriptor() == pg_query::FuncCall::descriptor();
      return !reads;
    });
    return reads ? Sql("SELECT " + text) : absl::OkStatus();
  }

  Effects& e_;
  const std::map<size_t, std::string> arguments_;
  std::vector<std::string> names_;                // of variables, by their numbers
  std::map<std::string, std::string> variables_;  // those whose text is known
  bool returned_ = false;
};

absl::Status RunPlpgsql(Effects& e, const std::string& definition,
                        const std::map<size_t, std::string>& arguments) {
  const auto json = sql::ParsePlpgsql(definition);
  Value value;
  if (!json.ok() || !google::protobuf::util::JsonStringToMessage(*json, &value).ok()) {
    e.Warn("unknown-effect", Severity::kWarning, "its body cannot be read here");
    return absl::OkStatus();
  }
  for (const Value& item : value.list_value().values()) {
    if (const Value* function = Field(item.struct_value(), "PLpgSQL_function"))
      RETURN_IF_ERROR(Body(&e, arguments).RunFunction(function->struct_value()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LintDo(Effects& e, const pg_query::DoStmt& statement) {
  std::string language = "plpgsql", body;
  for (const Node& node : statement.args()) {
    if (node.def_elem().defname() == "language") language = ConstantText(node.def_elem().arg());
    if (node.def_elem().defname() == "as") body = ConstantText(node.def_elem().arg());
  }
  if (language != "plpgsql") {
    e.Warn("unknown-effect", Severity::kWarning,
           absl::StrCat("what a body in ", language, " does is not known here"));
    return absl::OkStatus();
  }
  return RunPlpgsql(e, absl::StrCat("DO ", sql::Literal(body)), {});
}

absl::Status LintFunctionCall(Effects& e, const Function& function, const Nodes& given) {
  if (e.session.depth >= kMostDepth) return absl::OkStatus();
  ++e.session.depth;
  absl::Status status;
  if (function.language == "plpgsql") {
    const bool trigger = function.result == 2279;
    std::string parameters;
    std::map<size_t, std::string> arguments;
    for (int i = 0; i < function.arguments; ++i) {
      const auto index = static_cast<size_t>(i);
      const std::string name =
          index < function.argument_names.size() ? sql::Ident(function.argument_names[index]) : "";
      absl::StrAppend(&parameters, i == 0 ? "" : ", ", name, " text");
      std::string text;
      if (i < given.size() && KnownText(given[i], {}, &text)) arguments[index] = text;
    }
    status =
        RunPlpgsql(e,
                   absl::StrCat("CREATE FUNCTION f(", parameters, ") RETURNS ", trigger ? "trigger" : "void",
                                " LANGUAGE plpgsql AS ", sql::Literal(function.body)),
                   arguments);
  } else if (function.language == "sql") {
    if (auto tree = sql::Parse(function.body); tree.ok()) {
      for (const auto& raw : tree->stmts()) {
        if (status.ok()) status = Nested(e, raw.stmt(), function.body);
      }
    }
  }
  --e.session.depth;
  return status;
}

}  // namespace curlew::lint
