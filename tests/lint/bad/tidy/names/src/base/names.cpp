namespace nearpool {
class wrong_class {
  public:
    int WrongMethod() const { return no_underscore; }

  private:
    int no_underscore = 0;
};
int WrongFunction(int WrongParameter) { return WrongParameter + wrong_class().WrongMethod(); }
} // namespace nearpool
