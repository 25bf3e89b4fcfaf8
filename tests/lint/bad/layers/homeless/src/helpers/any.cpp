int anything = 0;
