#include "common/from_sql/enum_dance.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/from_sql/known.h"
#include "common/from_sql/names.h"
#include "common/schema/schema.h"
#include "common/sql/identifier.h"
#include "common/sql/parser.h"

namespace curlew::from_sql {
namespace {

using sql::TableName;

// ALTER TYPE from RENAME TO to.
struct Renaming {
  size_t piece = 0;
  std::string from, to;  // qualified, quoted
};

std::optional<Renaming> ReadRenaming(const Piece& piece, size_t number) {
  if (piece.merged_into.has_value() || piece.operation.has_value()) return std::nullopt;
  const auto tree = sql::Parse(piece.sql);
  if (!tree.ok() || tree->stmts_size() != 1 || !tree->stmts(0).stmt().has_rename_stmt()) return std::nullopt;
  const pg_query::RenameStmt& rename = tree->stmts(0).stmt().rename_stmt();
  if (rename.rename_type() != pg_query::OBJECT_TYPE) return std::nullopt;
  const auto& parts = rename.object().list().items();
  TableName from{"public", parts[parts.size() - 1].string().sval()};
  if (parts.size() > 1) from.schema = parts[parts.size() - 2].string().sval();
  return Renaming{number, from.Quoted(), TableName{from.schema, rename.newname()}.Quoted()};
}

// As the operations of a script write a type: public may stand there or not.
bool IsType(const std::string& text, const std::string& quoted) {
  const auto name = sql::ParseTableName(text);
  return name.ok() && name->Quoted() == quoted;
}

struct Dance {
  size_t create = 0, drop = 0;
  std::vector<size_t> renamings;
  std::vector<size_t> changes;
  std::string type, created;  // the type, and the name that CREATE TYPE has
};

class Dancer {
 public:
  Dancer(const v1::Schema* schema, std::vector<Piece>* pieces) : schema_(schema), pieces_(*pieces) {}

  void Read() {
    std::vector<Renaming> renamings;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (const auto renaming = ReadRenaming(pieces_[i], i); renaming.has_value())
        renamings.push_back(*renaming);
    }
    for (const Renaming& away : renamings) {
      if (pieces_[away.piece].group >= 0) continue;  // of a dance already
      Dance dance;
      dance.type = away.from;
      dance.created = away.from;
      dance.renamings = {away.piece};
      for (const Renaming& back : renamings) {
        if (back.to != away.from) continue;
        dance.created = back.from;
        dance.renamings.push_back(back.piece);
      }
      if (Complete(away.to, &dance)) Make(dance);
    }
  }

 private:
  bool Complete(const std::string& old_name, Dance* dance) const {
    bool created = false, dropped = false;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      const Piece& piece = pieces_[i];
      if (!piece.is_operation() || piece.merged_into.has_value()) continue;
      const v1::Operation& operation = *piece.operation;
      if (operation.has_create_enum() && operation.create_enum().type() == dance->created) {
        created = true;
        dance->create = i;
      } else if (operation.has_drop_type() && operation.drop_type().type() == old_name) {
        dropped = true;
        dance->drop = i;
      } else if (operation.has_change_type() && IsType(operation.change_type().type(), dance->created)) {
        dance->changes.push_back(i);
      }
    }
    return created && dropped && dance->drop > dance->create &&
           std::all_of(dance->changes.begin(), dance->changes.end(),
                       [&](size_t change) { return change > dance->create && change < dance->drop; });
  }

  void Make(const Dance& dance) {
    const int group = static_cast<int>(dance.create);
    std::vector<size_t> all = dance.renamings;
    all.insert(all.end(), dance.changes.begin(), dance.changes.end());
    all.push_back(dance.create);
    all.push_back(dance.drop);
    for (size_t i : all) pieces_[i].group = group;
    for (size_t i : dance.renamings) pieces_[i].merged_into = -1;
    if (!MakeValues(dance)) MakeNewType(dance);
  }

  // Values that were only added.
  bool MakeValues(const Dance& dance) {
    const v1::EnumType* type = schema_ == nullptr ? nullptr : schema::FindEnum(*schema_, dance.type);
    if (type == nullptr) return false;
    for (size_t i : dance.changes) {
      const v1::ChangeType& change = pieces_[i].operation->change_type();
      const std::string column = sql::Ident(change.column());
      if (change.up() != absl::StrCat(column, "::text::", change.type())) return false;
    }
    const auto& values = pieces_[dance.create].operation->create_enum().values();
    std::vector<std::string> added;
    int known = 0;
    for (const std::string& value : values) {
      if (known < type->labels_size() && type->labels(known) == value) {
        ++known;
      } else {
        added.push_back(value);
      }
    }
    if (known != type->labels_size()) return false;
    std::vector<Piece> extra;
    for (int i = 0; i < values.size(); ++i) {
      if (std::count(added.begin(), added.end(), values[i]) == 0) continue;
      v1::Operation operation;
      v1::AddEnumValue* add = operation.mutable_add_enum_value();
      add->set_type(dance.type);
      add->set_value(values[i]);
      if (i > 0) {
        add->set_after(values[i - 1]);
      } else {
        add->set_before(type->labels(0));
      }
      extra.push_back(Extra(dance.create, std::move(operation), dance));
    }
    for (size_t i : dance.changes) pieces_[i].merged_into = -1;
    pieces_[dance.drop].merged_into = -1;
    pieces_[dance.create].merged_into = -1;
    for (Piece& piece : extra) pieces_.push_back(std::move(piece));
    return true;
  }

  // A new type under a name of its own, which gets the old one's when that is gone.
  void MakeNewType(const Dance& dance) {
    const auto type = sql::ParseTableName(dance.type);
    TableName fresh = *type;
    if (dance.created == dance.type) {
      fresh.name = MakeObjectName(type->name, "", "new");
    } else {
      fresh = *sql::ParseTableName(dance.created);
    }
    pieces_[dance.create].operation->mutable_create_enum()->set_type(fresh.Quoted());
    for (size_t i : dance.changes) {
      v1::ChangeType* change = pieces_[i].operation->mutable_change_type();
      const std::string column = sql::Ident(change->column());
      if (change->up() == absl::StrCat(column, "::text::", change->type())) {
        change->set_up(absl::StrCat(column, "::text::", fresh.Quoted()));
        change->set_down(absl::StrCat(column, "::text::", dance.type));
      }
      change->set_type(fresh.Quoted());
    }
    pieces_[dance.drop].operation->mutable_drop_type()->set_type(dance.type);
    // Until the columns have their defaults again, those are of the old type.
    for (size_t i = dance.create; i < pieces_.size(); ++i) {
      Piece& piece = pieces_[i];
      if (!piece.is_operation() || !piece.operation->has_set_default() || piece.merged_into.has_value())
        continue;
      v1::SetDefault* set = piece.operation->mutable_set_default();
      const bool concerned = std::any_of(dance.changes.begin(), dance.changes.end(), [&](size_t change) {
        const v1::ChangeType& c = pieces_[change].operation->change_type();
        return c.table() == set->table() && c.column() == set->column();
      });
      if (!concerned || i < dance.changes.front()) continue;
      // The literal alone is of whatever type the column has.
      const auto name = *sql::ParseTableName(dance.type);
      for (const std::string& suffix : {name.Quoted(), sql::Ident(name.name)}) {
        if (absl::EndsWith(set->default_(), "::" + suffix)) {
          set->set_default_(set->default_().substr(0, set->default_().size() - suffix.size() - 2));
        }
      }
      piece.touches.erase(TypeKey(dance.type));
      piece.group = pieces_[dance.create].group;
      if (i > dance.drop) pieces_[dance.drop].after = static_cast<int>(i);
    }
    for (size_t i : {dance.create, dance.drop}) {
      for (const std::string& name : {dance.type, fresh.Quoted()}) pieces_[i].touches.insert(TypeKey(name));
    }
    pieces_[dance.drop].notes.push_back("the type that gets another with other values in its place");
    v1::Operation none;
    Piece piece = Extra(dance.drop, none, dance);
    piece.operation.reset();
    piece.sql = absl::StrCat("ALTER TYPE ", fresh.Quoted(), " RENAME TO ", sql::Ident(type->name));
    piece.why = "no operation gives a type another name; the columns have the new one by now";
    piece.after = static_cast<int>(dance.drop);
    piece.touches = piece.changes = {TypeKey(dance.type), TypeKey(fresh.Quoted())};
    pieces_.push_back(std::move(piece));
  }

  Piece Extra(size_t place, v1::Operation operation, const Dance& dance) const {
    Piece piece;
    piece.statement = pieces_[place].statement;
    piece.sql = "SELECT 1";
    piece.operation = std::move(operation);
    piece.touches = {TypeKey(dance.type)};
    piece.changes = piece.touches;
    piece.group = static_cast<int>(dance.create);
    piece.after = static_cast<int>(place);
    piece.extra = true;
    return piece;
  }

  const v1::Schema* const schema_;
  std::vector<Piece>& pieces_;
};

}  // namespace

void ReadEnumDances(const v1::Schema* schema, std::vector<Piece>* pieces) { Dancer(schema, pieces).Read(); }

}  // namespace curlew::from_sql
