#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "common/lint/lint.h"
#include "common/lint/lint_script.h"
#include "common/sql/batch_write.h"
#include "common/sql/expression.h"
#include "common/sql/identifier.h"
#include "common/sql/normal_form.h"
#include "common/sql/object_definition.h"
#include "common/sql/parser.h"
#include "common/sql/query.h"
#include "common/sql/rewrite.h"
#include "common/sql/scan.h"
#include "common/sql/script.h"
#include "common/sql/statement.h"
#include "common/sql/type_name.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace curlew::fuzz {
namespace {

bool IsUtf8(absl::string_view text) { return base::FindInvalidUtf8(text) == absl::string_view::npos; }

void LintAll(absl::string_view script) {
  lint::Linter linter;
  lint::ScriptJudge judge;
  judge.lint = [&](const pg_query::Node& tree, absl::string_view text) { return linter.Lint(tree, text); };
  int last_line = 0;
  lint::LintScript(script, "fuzz.sql", judge, [&](const lint::Finding& finding) {
    Promise(finding.place.line >= 1 && finding.place.column >= 1, "places count from 1");
    Promise(IsUtf8(finding.statement), "a finding's statement is text");
    last_line = finding.place.line;
    for (const lint::Hazard& hazard : finding.report.hazards) {
      Promise(!hazard.code.empty() && !hazard.message.empty(), "a hazard has a name and a message");
      Promise(IsUtf8(hazard.message) && IsUtf8(hazard.safe_sql),
              absl::StrCat("a hazard is text: ", hazard.message));
      Promise(hazard.offset >= 0 && static_cast<size_t>(hazard.offset) <= finding.statement.size(),
              absl::StrCat("a hazard lies in its statement: ", hazard.message));
      const sql::Place place = lint::PlaceOf(finding, hazard);
      Promise(place.line >= finding.place.line, "a hazard is not before its statement");
    }
    for (const lint::RelationLock& lock : finding.report.locks)
      Promise(!lock.relation.empty() && IsUtf8(lock.relation), "a lock is on a relation with a name");
  });
}

void ReadPieces(absl::string_view script) {
  const std::string text = sql::DecodeScript(script).text;
  size_t comments_end = 0;
  sql::ScriptVisitor visitor;
  visitor.statement = [&](const sql::ScriptStatement& statement) {
    Promise(statement.place == sql::PlaceAt(statement.text, 0, statement.place), "a place is its own");
    pg_query::ParseResult tree;
    *tree.add_stmts()->mutable_stmt() = statement.tree;
    if (const auto written = sql::Deparse(tree); written.ok()) {
      Promise(IsUtf8(*written), absl::StrCat("a tree is written as text: ", *written));
    }
  };
  visitor.comment = [&](const sql::ScriptComment& comment) {
    Promise(comment.end_line >= comment.place.line, "a comment ends after it began");
    Promise(comment.place.offset >= comments_end, "comments come in their order, once");
    comments_end = comment.place.offset + comment.text.size();
  };
  visitor.error = [&](const sql::ScriptError& error) {
    Promise(!error.message.empty(), "a mistake has a message");
    Promise(IsUtf8(error.message), absl::StrCat("a mistake's message is text: ", error.message));
  };
  sql::ReadScript(text, visitor);
}

// `text` is UTF-8, as all that comes from YAML and protobuf: what is not is refused below.
void ReadSingly(const std::string& text) {
  const auto read = [](const auto& result, absl::string_view what) {
    if (!result.ok()) PromiseRefusal(result.status(), what);
    return result.ok();
  };
  if (const auto tokens = sql::Scan(text); read(tokens, "Scan")) {
    int end = 0;
    for (const sql::Token& token : *tokens) {
      Promise(token.start >= end && token.end >= token.start && static_cast<size_t>(token.end) <= text.size(),
              "tokens lie in the text, one after the other");
      end = token.end;
    }
  }
  if (const auto statements = sql::ParseStatements(text); read(statements, "ParseStatements")) {
    for (const sql::Statement& s : *statements) {
      Promise(!s.text.empty() && s.line >= 1, "a statement has a text and a line");
      for (const auto& lock : s.locks) Promise(!lock.table.name.empty(), "a lock is on a table");
    }
  }
  if (const auto e = sql::Expression::Parse(text); read(e, "Expression")) {
    const auto again = sql::Expression::Parse(e->Sql().str());
    Promise(again.ok() && again->columns() == e->columns(),
            absl::StrCat("an expression as it is written reads the same: ", e->Sql().str()));
    std::map<std::string, sql::Expression> by;
    for (const std::string& column : e->columns()) by.emplace(column, sql::Expression::Column(column));
    const auto same = e->Substitute(by);
    Promise(same.ok() && same->columns() == e->columns(),
            absl::StrCat("columns for themselves change nothing: ", text, " ", same.status().ToString()));
    e->Qualified("NEW");
  }
  if (const auto type = sql::CanonicalType(text); read(type, "CanonicalType")) {
    const auto again = sql::CanonicalType(*type);
    Promise(again.ok() && *again == *type,
            absl::StrCat("the one spelling of a type is its own: ", *type, " ", again.value_or("refused")));
    Promise(sql::ClassifyTypeChange(text, *type) != sql::TypeChange::kRewrite,
            absl::StrCat("a type changes to itself for nothing: ", text, " to ", *type));
  }
  if (const auto table = sql::ParseTableName(text); read(table, "ParseTableName")) {
    const auto again = sql::ParseTableName(table->Quoted());
    Promise(again.ok() && *again == *table, absl::StrCat("a table's name reads back: ", table->Quoted()));
  }
  if (const auto name = sql::ParseIdent(text); read(name, "ParseIdent")) {
    const auto again = sql::ParseIdent(sql::Ident(*name));
    Promise(again.ok() && *again == *name, absl::StrCat("a name reads back: ", sql::Ident(*name)));
  }
  if (const auto query = sql::ParseQuery(text); read(query, "ParseQuery")) {
    const auto again = sql::ParseQuery(query->text);
    Promise(again.ok() && again->tables == query->tables && again->uses == query->uses,
            absl::StrCat("a query's text is a query: ", query->text));
  }
  if (const auto write = sql::ParseBatchWrite(text); read(write, "ParseBatchWrite"))
    Promise(write->inserts || write->updates || write->deletes, "a batch write writes");
  if (const auto function = sql::ParseFunction(text); read(function, "ParseFunction")) {
    const auto again = sql::ParseFunction(function->statement.str());
    Promise(again.ok() && again->signature == function->signature,
            absl::StrCat("a function reads back: ", function->statement.str()));
  }
  if (const auto name = sql::ParseFunctionName(text); read(name, "ParseFunctionName")) {
    const auto again = sql::ParseFunctionName(*name);
    Promise(again.ok() && *again == *name, absl::StrCat("a function's name reads back: ", *name));
  }
  if (const auto trigger = sql::ParseTrigger(text); read(trigger, "ParseTrigger")) {
    const auto again = sql::ParseTrigger(trigger->statement.str());
    Promise(again.ok() && again->name == trigger->name && again->table == trigger->table,
            absl::StrCat("a trigger reads back: ", trigger->statement.str()));
  }
  sql::RewriteIndex(text, {.from = "a", .to = "b"}, "n").status().IgnoreError();
  sql::RewriteForeignKey(text, {.from = "a", .to = "b"}, {"public", "t"}, "n").status().IgnoreError();
  sql::RewriteStatistics(text, {.from = "a", .to = "b"}, {"public", "n"}).status().IgnoreError();
  sql::CheckExpression(text).status().IgnoreError();
  sql::MentionsColumn(text, "t", "a");
  sql::MentionsTable(text, "t");
  // Seldom, because it leaks a byte (tests/support/sanitizers/leak.supp), after which libFuzzer looks for
  // leaks.
  if (absl::StrContains(text, "plpgsql")) sql::ParsePlpgsql(text).status().IgnoreError();
  if (const auto tree = sql::Parse(text); read(tree, "Parse") && tree->stmts_size() == 1)
    Promise(sql::SameSql(text, text), absl::StrCat("SQL says what it says: ", text));
}

}  // namespace

void FuzzLint(absl::string_view bytes) {
  LintAll(bytes);
  ReadPieces(bytes);
  if (IsUtf8(bytes)) {
    ReadSingly(std::string(bytes));
  } else {
    Promise(!sql::Parse(bytes).ok() && !sql::Scan(bytes).ok(), "what is not UTF-8 is no SQL");
    sql::MentionsColumn(bytes, "t", "a");
  }
}

}  // namespace curlew::fuzz
